/** Runs one part of a job to its end: its failure must not keep the other parts from running. */
export async function runSettled<T>(work: () => Promise<T>): Promise<PromiseSettledResult<T>> {
  const [outcome] = await Promise.allSettled([work()]);
  return outcome;
}
