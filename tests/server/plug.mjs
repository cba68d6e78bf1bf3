// SPDX-License-Identifier: MIT
// A wire between a browser and the server that can be cut: a TCP proxy. After cutAfter bytes towards the server it drops every connection, and refuses
// new ones until plug() is called.
import {createServer, connect} from 'node:net';

export async function wire(port) {
    const open = new Set();
    let passed = 0;
    let cutAt = Infinity;
    let out = false; // the plug
    let told = () => undefined;
    const server = createServer((client) => {
        if (out) return client.destroy();
        const upstream = connect(port, 'localhost');
        for (const [from, to] of [[client, upstream], [upstream, client]]) {
            open.add(from);
            from.on('error', () => to.destroy());
            from.on('close', () => { open.delete(from); to.destroy(); });
        }
        client.on('data', (data) => {
            passed += data.length;
            if (passed >= cutAt && !out) unplug();
        });
        client.pipe(upstream);
        upstream.pipe(client);
        return undefined;
    });
    function unplug() {
        out = true;
        for (const one of open) one.destroy();
        told();
    }
    await new Promise((resolve) => { server.listen(0, 'localhost', resolve); });
    return {
        origin: `http://localhost:${server.address().port}`,
        // Resolves when so many more bytes have gone to the server and the plug was pulled.
        cutAfter(bytes) {
            cutAt = passed + bytes;
            return new Promise((resolve) => { told = resolve; });
        },
        plug() { cutAt = Infinity; out = false; },
        close() { unplug(); return new Promise((resolve) => { server.close(resolve); }); },
    };
}
