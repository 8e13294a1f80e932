/** Several errors in one, as Consul's multi-error prints them. */
export function joinErrors(errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `${head}\n\t${errors.map((error) => `* ${error}`).join('\n\t')}\n\n`;
}

/** A string as Go's `%q` prints it. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
