import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installed } from './installed.js';

/** A message as kcat, a client that shares no code with the one that wrote it, reads it. */
export interface ReadMessage {
  partition: number;
  offset: number;
  key: string | undefined;
  value: string;
  headers: Record<string, string>;
}

/** All committed messages of a topic from its beginning to its end of this moment, at most 100,000. */
export async function readTopic(broker: string, topic: string, timeoutMs = 20_000): Promise<ReadMessage[]> {
  const kcat = await installed('kcat');
  const args = ['-C', '-b', broker, '-t', topic, '-o', 'beginning', '-e', '-q', '-J', '-c', '100000'];
  args.push('-X', 'isolation.level=read_committed', '-X', 'fetch.wait.max.ms=10');
  const { stdout } = await promisify(execFile)(kcat, args, { timeout: timeoutMs, maxBuffer: 256 * 2 ** 20 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseMessage(JSON.parse(line)));
}

function parseMessage(line: unknown): ReadMessage {
  if (typeof line !== 'object' || line === null) throw new Error('kcat printed no object');
  const record = new Map<string, unknown>(Object.entries(line));
  const headers: Record<string, string> = {};
  const pairs = record.get('headers');
  if (Array.isArray(pairs)) {
    for (let at = 0; at + 1 < pairs.length; at += 2) headers[String(pairs[at])] = String(pairs[at + 1]);
  }
  const key = record.get('key');
  return {
    partition: Number(record.get('partition')),
    offset: Number(record.get('offset')),
    key: typeof key === 'string' ? key : undefined,
    value: String(record.get('payload') ?? ''),
    headers,
  };
}
