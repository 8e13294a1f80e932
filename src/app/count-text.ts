/** `1 edge`, `2 edges`. `noun`: a noun whose plural ends in s. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
