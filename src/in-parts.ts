/** Splits the items, in order, into parts whose sizes together are at most `most`. A part has at least one item. */
export function inParts<T>(items: Iterable<T>, most: number, sizeOf: (item: T) => number = () => 1): T[][] {
  const parts: T[][] = [];
  let room = 0;
  for (const item of items) {
    const size = sizeOf(item);
    room -= size;
    if (room < 0 || parts.length === 0) {
      parts.push([]);
      room = most - size;
    }
    parts.at(-1)?.push(item);
  }
  return parts;
}
