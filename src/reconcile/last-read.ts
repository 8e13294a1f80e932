/** The last complete read of a directory, kept for people. */
export interface LastRead {
  /** ISO 8601. */
  readonly at: string;
  readonly clients: number;
  readonly requests: number;
}

/** The name of its value in the store. */
export function lastReadName(provider: string): string {
  return `directory/${provider}`;
}

// What scopemesh itself wrote.
export function parseLastRead(text: string | undefined): LastRead | undefined {
  return text === undefined ? undefined : JSON.parse(text);
}
