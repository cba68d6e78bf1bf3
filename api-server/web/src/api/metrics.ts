// The server's own numbers, as it tells them to Prometheus.

// The sum of each metric over all its labels; buckets of histograms are left out.
export function parse(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)$/.exec(line);
    const value = Number(found?.[2]);
    if (found?.[1] && !found[1].endsWith('_bucket') && Number.isFinite(value)) sums.set(found[1], (sums.get(found[1]) ?? 0) + value);
  }
  return sums;
}
