/** `FAULTS=all`, as in `npm run faults`: long outages and large counts. A run of CI samples them. */
export const isSoak = process.env.FAULTS === 'all';
