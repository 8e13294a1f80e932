/** Between the process of Stryker and the thread of vitest in it. */
export const CHANNEL: 'scopemesh-mutate';
