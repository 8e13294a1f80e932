/** Between Stryker's process and the thread of vitest in it. */
export const CHANNEL = 'scopemesh-mutate';
