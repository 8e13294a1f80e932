import { reportTokens, type TokenKind } from '../acl/plan/token-report.js';
import type { Consul } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import { compareText } from '../model/compare-text.js';
import { isAnyMarked } from '../plan/ownership.js';
import type { AclFacts } from '../proposal/acl-holders.js';
import type { AclProposal } from '../proposal/propose-acl.js';
import { runCooperatively } from '../run-cooperatively.js';

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

/** `trouble`: this token may not read them, with the right that it lacks. Throws ERR_CONSUL_INCOMPLETE for a part of them. */
export async function readAclFacts(
  consul: Pick<Consul, 'acl'>,
  signal: AbortSignal,
): Promise<AclFacts | { readonly trouble: string }> {
  try {
    const [tokens, objects] = await Promise.all([
      consul.acl.tokens('all', signal),
      consul.acl.read(() => true, signal),
    ]);
    return { tokens, objects };
  } catch (error) {
    if (error instanceof SyncError && error.code === 'ERR_CONSUL_DENIED') return { trouble: error.message };
    throw error;
  }
}

/** The tokens that are not from a login and that no scope explains, and the roles and policies without the mark of scopemesh. */
export async function unexplainedAcl(
  { tokens, objects }: AclFacts,
  { explained, unexplained }: Pick<AclProposal, 'explained' | 'unexplained'>,
  now: number,
  signal: AbortSignal,
): Promise<readonly UnexplainedAcl[]> {
  const reports = await runCooperatively(reportTokens({ tokens, objects, clients: [], now }), signal);
  const found = [
    ...reports.flatMap(({ token, kind, can = [] }): readonly UnexplainedAcl[] =>
      kind === 'login' || (kind === 'anonymous' && can.length === 0) || explained.has(token.accessorId)
        ? []
        : [
            {
              kind: 'acl-token',
              name: token.accessorId,
              description: token.description,
              gives: can,
              detail: unexplained.get(token.accessorId) ?? TOKEN_DETAIL[kind],
            },
          ],
    ),
    ...objects.roles.filter(isForeign).map(
      ({ object }): UnexplainedAcl => ({
        kind: 'acl-role',
        name: object.name,
        description: object.description,
        gives: [...object.policies, ...object.serviceIdentities.map((name) => `service ${name}`)],
        detail: 'write an acl: rule or a group that gives the same, if a scope should decide about it',
      }),
    ),
    ...objects.policies
      .filter((each) => isForeign(each) && !isBuiltIn(each.object.name))
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
  return found.toSorted((a, b) => compareText(`${a.kind} ${a.name}`, `${b.kind} ${b.name}`));
}

const STATIC =
  'it does not end with a scope; scopemesh tokens says which login gives the same, with login: on in the configuration';
const TOKEN_DETAIL: Readonly<Record<Exclude<TokenKind, 'login'>, string>> = {
  management: 'a management token may do everything; no scope ends it',
  static: STATIC,
  'static-expiring': STATIC,
  anonymous: 'each call without a token may do this; no scope ends it',
};

/** scopemesh marks roles and policies. A token's mark proves nothing. */
function isForeign({ object }: { readonly object: { readonly description: string } }): boolean {
  return !isAnyMarked(object.description);
}

function isBuiltIn(name: string): boolean {
  return name === 'global-management' || name.startsWith('builtin/');
}
