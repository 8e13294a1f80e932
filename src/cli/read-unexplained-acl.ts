import type { Consul } from '../consul/consul.js';
import { isStatic, reportTokens } from '../plan/acl/token-report.js';
import { compareText } from '../plan/compare.js';
import { isAnyMarked } from '../plan/ownership.js';
import type { Proposal } from '../plan/proposal/proposal.js';

/** A token, role or policy of others, which no rule of a proposal explains. */
export interface UnexplainedAcl {
  readonly kind: 'acl-token' | 'acl-role' | 'acl-policy';
  /** Of a token its accessor ID. */
  readonly name: string;
  readonly description: string;
  /** What it gives, shortly. */
  readonly gives: readonly string[];
  readonly detail: string;
}

/**
 * The static tokens, and the roles and policies without the mark of scopemesh. Throws ERR_CONSUL_DENIED or
 * ERR_CONSUL_INCOMPLETE if this token may not read all of them.
 */
export async function readUnexplainedAcl(
  consul: Pick<Consul, 'acl'>,
  { claims }: Pick<Proposal, 'claims'>,
  now: number,
  signal: AbortSignal,
): Promise<readonly UnexplainedAcl[]> {
  const [tokens, objects] = await Promise.all([
    consul.acl.tokens('all', signal),
    consul.acl.read(() => true, signal),
  ]);
  const clients = new Map(claims.map(({ service, client }) => [service.name, client]));
  const found = [
    ...reportTokens({ tokens, objects, clients: [], now })
      .filter(({ kind }) => isStatic(kind))
      .map(({ token, can }): UnexplainedAcl => {
        const [service, ...others] = token.serviceIdentities;
        const client = service === undefined || others.length > 0 ? undefined : clients.get(service);
        return {
          kind: 'acl-token',
          name: token.accessorId,
          description: token.description,
          gives: can ?? [],
          detail:
            client === undefined
              ? 'a static token does not end with a scope; docs/how-to/replace-static-tokens.md says how to replace it'
              : `with login: on, a login as client ${client.provider}/${client.clientId} replaces it`,
        };
      }),
    ...objects.roles.map(
      ({ object }): UnexplainedAcl => ({
        kind: 'acl-role',
        name: object.name,
        description: object.description,
        gives: [...object.policies, ...object.serviceIdentities.map((name) => `service ${name}`)],
        detail: 'write an acl: rule or a group that gives the same, if a scope should decide about it',
      }),
    ),
    ...objects.policies
      .filter(({ object: { name } }) => !isBuiltIn(name))
      .map(
        ({ object }): UnexplainedAcl => ({
          kind: 'acl-policy',
          name: object.name,
          description: object.description,
          gives: [],
          detail: 'what it gives depends on the roles and tokens that link it',
        }),
      ),
  ];
  return found
    .filter(({ description }) => !isAnyMarked(description))
    .toSorted((a, b) => compareText(`${a.kind} ${a.name}`, `${b.kind} ${b.name}`));
}

function isBuiltIn(name: string): boolean {
  return name === 'global-management' || name.startsWith('builtin/');
}
