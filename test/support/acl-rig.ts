import { createRig, type DaemonOptions, type Rig } from './daemon.js';
import { type KeySetServer, startKeySetServer } from './key-set-server.js';
import { send } from './send.js';

/** A client's token of Consul's, and what Consul answers it. */
export interface Login {
  readonly secretId: string;
  readonly accessorId: string;
}

/** A rig whose provider signs tokens that Consul can verify. */
export interface AclRig extends Rig {
  readonly keys: KeySetServer;
  /** Consul's answer to a login with an access token that the client got for itself. */
  login(
    clientId: string,
    claims?: Readonly<Record<string, unknown>>,
    method?: string,
  ): Promise<number | Login>;
  /** The status of a read of a key with a token. */
  readKey(login: Login, key: string): Promise<number>;
  objects(kind: 'policies' | 'roles' | 'auth-methods' | 'binding-rules'): Promise<readonly RawObject[]>;
}

export type RawObject = Readonly<Record<string, unknown>> & { readonly Name?: string; readonly ID?: string };

export const ACL_SCOPES = {
  'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
  'orders:keys': { acl: 'key_prefix "orders/" { policy = "write" }' },
  'orders:call': { to: 'orders' },
};

export async function createAclRig(options: DaemonOptions = {}): Promise<AclRig> {
  const keys = await startKeySetServer();
  const rig = await createRig({
    ...options,
    file: { scopes: ACL_SCOPES, ...options.file },
    provider: { issuer: keys.address, audience: 'consul', ...options.provider },
  });
  return {
    ...rig,
    keys,
    async login(clientId, claims = {}, method = `scopemesh-payments-main-${clientId}`) {
      const jwt = await keys.sign({ client_id: clientId, sub: clientId, ...claims });
      const { ok, status, text } = await send(`${rig.mesh.consul.address}/v1/acl/login`, {
        method: 'POST',
        body: JSON.stringify({ AuthMethod: method, BearerToken: jwt }),
      });
      if (!ok) return status;
      const { SecretID, AccessorID } = JSON.parse(text);
      return { secretId: SecretID, accessorId: AccessorID };
    },
    async readKey(login, key) {
      const { status } = await send(`${rig.mesh.consul.address}/v1/kv/${key}`, {
        headers: { 'X-Consul-Token': login.secretId },
      });
      return status;
    },
    async objects(kind) {
      return ((await rig.mesh.request('GET', `/v1/acl/${kind}`)) ?? []) as readonly RawObject[];
    },
    async close() {
      await rig.close();
      await keys.close();
    },
  };
}

/** The token of a login that must succeed. */
export function loggedIn(answer: number | Login): Login {
  if (typeof answer === 'number') throw new Error(`the login was answered ${answer}`);
  return answer;
}
