import type { Obstacle } from '../../plan/reach.js';

/** Each obstacle with its remedy below it. */
export function reachTexts(obstacles: readonly Obstacle[]): readonly string[] {
  return obstacles.flatMap(({ message, remedy }) => [message, `  ${remedy}`]);
}
