/** Throws if the demo of this program does not do what it should. */
export function tryDemo(command: string, args?: readonly string[]): Promise<void>;
