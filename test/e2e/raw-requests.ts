import { Pool } from 'undici';
import type { Stack } from '../stack/stack.js';

/** The three requests that a change cannot do without, each alone: what scopemesh's own time is held against. */
export interface RawRequests {
  /** One client by its client id, as the directory reads it. */
  readClient(clientId: string): Promise<void>;
  /** One intentions entry, consistent; resolves with its index, or 0 without an entry. */
  readEntry(name: string): Promise<number>;
  /** One compare-and-set of an entry with one source. */
  writeEntry(name: string, source: object, index: number): Promise<void>;
  /** Resolves when the entry's index is above `index`, by a blocking query that this opens at once. */
  entryAbove(name: string, index: number): Promise<void>;
  close(): Promise<void>;
}

/** On kept-alive connections of the library that scopemesh uses too, so that only its own work makes a difference. */
export async function openRawRequests(stack: Stack): Promise<RawRequests> {
  const consul = new Pool(stack.consul.httpAddress, { connections: 4, headersTimeout: 0 });
  const keycloak = new Pool(stack.keycloak.address, { connections: 4 });
  const { clientId, clientSecret } = stack.reader;
  let token = { text: '', until: 0 };
  const headers = { accept: 'application/json', 'x-consul-token': stack.consul.managementToken };

  const ask = async (pool: Pool, path: string, method: 'GET' | 'PUT', more: object, body?: string) => {
    const answer = await pool.request({
      path,
      method,
      headers: { ...headers, ...more },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, text, index: Number(answer.headers['x-consul-index'] ?? 0) };
  };
  const entryPath = (name: string) => `/v1/config/service-intentions/${name}`;
  const expect200 = ({ status, text }: { status: number; text: string }) => {
    if (status !== 200) throw new Error(`answered ${status} ${text.slice(0, 200)}`);
    return text;
  };

  return {
    async readClient(requested) {
      if (performance.now() > token.until) {
        const fresh = await stack.keycloak.admin.clientAccessToken(stack.realm, clientId, clientSecret);
        token = { text: fresh, until: performance.now() + 30_000 };
        // Not part of what is measured: scopemesh renews its token ahead of need.
        throw new StaleToken();
      }
      const path = `/admin/realms/${stack.realm}/clients?clientId=${encodeURIComponent(requested)}`;
      const text = expect200(await ask(keycloak, path, 'GET', { authorization: `Bearer ${token.text}` }));
      if (!text.includes(`"${requested}"`)) throw new Error(`Keycloak shows no client ${requested}`);
    },
    async readEntry(name) {
      const { status, text } = await ask(consul, `${entryPath(name)}?consistent`, 'GET', {});
      return status === 404 ? 0 : Number(Object(JSON.parse(expect200({ status, text }))).ModifyIndex);
    },
    async writeEntry(name, source, index) {
      const body = JSON.stringify({ Kind: 'service-intentions', Name: name, Sources: [source] });
      const text = expect200(await ask(consul, `/v1/config?cas=${index}`, 'PUT', {}, body));
      if (text.trim() !== 'true') throw new Error(`the entry ${name} has another index than ${index}`);
    },
    async entryAbove(name, index) {
      for (let from = index; ; ) {
        const answer = await ask(consul, `${entryPath(name)}?index=${from}&wait=20s`, 'GET', {});
        if (answer.status === 200 && Number(Object(JSON.parse(answer.text)).ModifyIndex) > index) return;
        from = Math.max(answer.index, 1);
      }
    },
    async close() {
      await Promise.all([consul.destroy(), keycloak.destroy()]);
    },
  };
}

/** The access token was renewed; ask again. */
export class StaleToken extends Error {}
