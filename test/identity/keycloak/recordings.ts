import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RawRequest } from '../../../src/identity/source.js';

/** A delivery as a real Keycloak 26.7.3 with the webhook extension 0.59 sent it. */
export interface Recording {
  readonly name: string;
  readonly secret: string;
  readonly request: RawRequest;
}

const folder = fileURLToPath(new URL('../../fixtures/keycloak/', import.meta.url));

export const RECEIVED_AT = '2026-11-25T00:00:00.000Z';

export function recordings(): readonly Recording[] {
  return readdirSync(`${folder}webhook`)
    .sort()
    .map((file) => {
      const { headers, secretUsed, body } = JSON.parse(readFileSync(`${folder}webhook/${file}`, 'utf8'));
      const lower = Object.entries<string>(headers).map(([name, value]) => [name.toLowerCase(), value]);
      const request: RawRequest = {
        method: 'POST',
        headers: Object.fromEntries(lower),
        query: {},
        body: Buffer.from(body, 'utf8'),
        receivedAt: RECEIVED_AT,
      };
      return { name: file.replace('.json', ''), secret: secretUsed, request };
    });
}

/** The same actions read back from the log, newest first. */
export function recordedLog(): readonly Record<string, unknown>[] {
  return JSON.parse(readFileSync(`${folder}admin-events-with-ext.json`, 'utf8'));
}
