// Where the nodes of a DAG go: in layers from left to right by their longest path, ordered within a layer so that edges cross little (barycentres, a few sweeps), long
// edges led through the layers between (Sugiyama, Tagawa and Toda, 1981). Edges that others imply are left out: a pipeline's first nodes feed nearly all.

export interface Box {
  name: string;
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Box[];
  lines: {from: string; to: string; points: [number, number][]}[];
}

export interface Size {
  width: number;
  height: number;
  gapX: number;
  gapY: number;
}

type Edge = readonly [from: string, to: string];

// Without edges that a longer way between the same nodes implies. Ignores what names unknown nodes or itself.
export function reduce(names: readonly string[], edges: readonly Edge[]): Edge[] {
  const after = new Map<string, Set<string>>(names.map((name) => [name, new Set()]));
  for (const [from, to] of edges) if (from !== to && after.has(to)) after.get(from)?.add(to);
  const reaches = (from: string, to: string, seen: Set<string>): boolean => {
    for (const next of after.get(from) ?? []) {
      if (next === to) return true;
      if (!seen.has(next)) {
        seen.add(next);
        if (reaches(next, to, seen)) return true;
      }
    }
    return false;
  };
  const kept: Edge[] = [];
  for (const [from, next] of after) {
    for (const to of next) {
      const around = [...next].some((other) => other !== to && reaches(other, to, new Set([other])));
      if (!around) kept.push([from, to]);
    }
  }
  return kept;
}

// The number of the layer of each node. A cycle, which no pipeline has, ends where it began.
export function layers(names: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const before = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const [from, to] of edges) before.get(to)?.push(from);
  const found = new Map<string, number>();
  const visit = (name: string, path: Set<string>): number => {
    const known = found.get(name);
    if (known !== undefined) return known;
    if (path.has(name)) return 0;
    path.add(name);
    const layer = Math.max(-1, ...(before.get(name) ?? []).map((one) => visit(one, path))) + 1;
    path.delete(name);
    found.set(name, layer);
    return layer;
  };
  names.forEach((name) => visit(name, new Set()));
  return found;
}

interface Vertex {
  name: string; // of a node; '' on the way of a long edge
  before: Vertex[];
  after: Vertex[];
  place: number;
}

export function layout(names: readonly string[], all: readonly Edge[], size: Size): Layout {
  const edges = reduce(names, all);
  const layerOf = layers(names, edges);
  const columns: Vertex[][] = Array.from({length: Math.max(-1, ...layerOf.values()) + 1}, () => []);
  const put = (name: string, column: number): Vertex => {
    const vertex: Vertex = {name, before: [], after: [], place: 0};
    columns[column]?.push(vertex);
    return vertex;
  };
  const vertices = new Map(names.map((name) => [name, put(name, layerOf.get(name) ?? 0)]));
  const ways: {from: string; to: string; way: Vertex[]}[] = [];
  for (const [from, to] of edges) {
    const first = vertices.get(from);
    const last = vertices.get(to);
    if (!first || !last) continue;
    const way = [first];
    for (let column = (layerOf.get(from) ?? 0) + 1; column < (layerOf.get(to) ?? 0); column++) way.push(put('', column));
    way.push(last);
    way.forEach((vertex, index) => {
      const next = way[index + 1];
      if (next) {
        vertex.after.push(next);
        next.before.push(vertex);
      }
    });
    ways.push({from, to, way});
  }
  const number = (column: Vertex[]): void => column.forEach((vertex, index) => { vertex.place = index - (column.length - 1) / 2; });
  columns.forEach(number);
  for (let sweep = 0; sweep < 8; sweep++) {
    const side = sweep % 2 === 0 ? 'before' : 'after';
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const centre = new Map(column.map((vertex) => [vertex, vertex[side].length > 0 ? vertex[side].reduce((sum, other) => sum + other.place, 0) / vertex[side].length : vertex.place]));
      column.sort((a, b) => (centre.get(a) ?? 0) - (centre.get(b) ?? 0));
      number(column);
    }
  }
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const height = tallest * (size.height + size.gapY) - size.gapY;
  const x = (column: number): number => column * (size.width + size.gapX);
  const y = (vertex: Vertex): number => height / 2 + vertex.place * (size.height + size.gapY);
  return {
    width: Math.max(size.width, columns.length * (size.width + size.gapX) - size.gapX),
    height,
    boxes: names.map((name) => ({name, x: x(layerOf.get(name) ?? 0), y: y(vertices.get(name) as Vertex) - size.height / 2})),
    lines: ways.map(({from, to, way}) => {
      const first = layerOf.get(from) ?? 0;
      const points: [number, number][] = [];
      way.forEach((vertex, index) => {
        if (index > 0) points.push([x(first + index), y(vertex)]);
        if (index < way.length - 1) points.push([x(first + index) + size.width, y(vertex)]);
      });
      return {from, to, points};
    }),
  };
}
