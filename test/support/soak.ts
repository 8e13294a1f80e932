/** `FAULTS=all`, as in `npm run faults`: long outages and large counts. A run of CI samples them. */
export const isSoak = process.env.FAULTS === 'all';

/**
 * How often a property runs: `all` with `FAULTS=all`, else a sample. Its worlds are others each time, so many runs of CI see as
 * many of them.
 */
export function runsOf(all: number, sample: number): { readonly numRuns: number } {
  return { numRuns: isSoak ? all : sample };
}
