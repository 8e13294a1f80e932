/** A text as one word of a POSIX shell, for commands that people copy. Names in Consul may hold any character. */
export function toShellWord(text: string): string {
  return /^[A-Za-z0-9._/-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
