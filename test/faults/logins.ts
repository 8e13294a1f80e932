import { MARK } from '../e2e/foreign.js';
import type { ConsulHandle } from '../stack/consul.js';
import type { IdpClient } from '../support/idp.js';

/** For each client ID with a login: `ROLE gives SERVICES by METHOD`. */
export type Logins = Readonly<Record<string, string>>;

/** What `login: on` gives these clients. */
export function desiredLogins(clients: Iterable<IdpClient>): Logins {
  const names = [...clients]
    .filter(({ enabled }) => enabled !== false)
    .map(({ clientId, attributes }) => [nameOf(clientId), attributes?.['consul-services']]);
  return sorted(names.map(([name = '', service]) => [name, `${name} gives ${service} by ${name}`]));
}

/** What Consul has of it: each method of ours with the role that its only binding rule gives. */
export async function loginsOfConsul({ request }: Pick<ConsulHandle, 'request'>): Promise<Logins> {
  const ours = async (kind: string) =>
    listOf(await request('GET', `/v1/acl/${kind}?consistent`)).filter(({ Description }) =>
      String(Description).startsWith(`${MARK} `),
    );
  const [methods, rules, roles] = await Promise.all(['auth-methods', 'binding-rules', 'roles'].map(ours));
  const found = new Map<string, string[]>();
  const add = (name: string, text: string) => found.set(name, [...(found.get(name) ?? []), text]);
  const left = new Set(roles?.map(({ Name }) => String(Name)));
  for (const { AuthMethod, BindName } of rules ?? []) {
    const role = roles?.find(({ Name }) => Name === BindName);
    const services = listOf(role?.ServiceIdentities).map(({ ServiceName }) => String(ServiceName));
    const isThere = methods?.some(({ Name }) => Name === AuthMethod);
    left.delete(String(BindName));
    const by = isThere ? AuthMethod : 'no method';
    add(String(AuthMethod), `${role?.Name ?? 'no role'} gives ${services.join(', ')} by ${by}`);
  }
  for (const { Name } of methods ?? []) if (!found.has(String(Name))) add(String(Name), 'a method alone');
  for (const name of left) add(name, 'a role alone');
  return sorted([...found].map(([name, texts]) => [name, texts.join('; ')]));
}

function nameOf(clientId: string): string {
  return `scopemesh-demo-main-${clientId}`;
}

function sorted(pairs: readonly (readonly [string, string])[]): Logins {
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value)
    ? value.map((each: unknown) => Object.fromEntries(Object.entries(Object(each))))
    : [];
}
