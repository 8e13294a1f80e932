import { groupBy } from '../model/group-by.js';
import type { Access } from '../model/intention.js';
import { covers, sameAccess, union } from '../plan/access.js';
import { classify, mayUseScope, needsHuman } from '../plan/actor.js';
import { toGrantText } from '../plan/grant-text.js';
import { createOpener, type Opening } from '../plan/openings.js';
import { clientText, findClient, serviceText } from '../plan/world.js';
import type { ExplainedEdge, ProposalInput, ProposedRule, UnexplainedEdge, UnusedScope } from './proposal.js';
import { scopeText } from './proposal.js';
import { type Claims, nameOf } from './propose-claims.js';
import type { AllowedEdge } from './read-edges.js';
import { destinationsIn } from './scope-words.js';

/** Compares each intention with what all rules and claims would open, as the plan would. */
export function explainEdges(
  rules: readonly ProposedRule[],
  unusedScopes: readonly UnusedScope[],
  {
    edges,
    claims,
    input,
  }: {
    readonly edges: readonly AllowedEdge[];
    readonly claims: Claims;
    readonly input: Pick<ProposalInput, 'mapping' | 'world'>;
  },
): { readonly explained: readonly ExplainedEdge[]; readonly unexplained: readonly UnexplainedEdge[] } {
  const { mapping, world } = input;
  const open = createOpener({ ...mapping, rules: [...mapping.rules, ...rules.map(({ rule }) => rule)] });
  const clients = new Map(claims.proposed.map(({ service, client }) => [serviceText(service), client]));
  const openings = new Map(
    [...new Map([...clients.values()].map((id) => [clientText(id), id]))].flatMap(([key, id]) => {
      const client = findClient(world, id);
      return client === undefined
        ? []
        : [
            [
              key,
              { client, byDestination: groupBy(open(client).openings, ({ destination }) => destination) },
            ],
          ];
    }),
  );
  const unused = new Map(unusedScopes.map((each) => [scopeText(each), each]));
  const explained: ExplainedEdge[] = [];
  const unexplained: UnexplainedEdge[] = [];
  for (const { source, destination, access, hold } of edges) {
    const refuse = (reason: UnexplainedEdge['reason'], detail: string) =>
      unexplained.push({ source, destination, reason, detail });
    const id = clients.get(serviceText(source));
    const known = id && openings.get(clientText(id));
    const unclear = claims.unclear.get(serviceText(source));
    if (id === undefined || known === undefined) {
      if (unclear === undefined)
        refuse(
          'UnknownSource',
          'no client names the service or has its name, and no static token of it names a client; --client PATTERN may find the client',
        );
      else refuse('UnclearSource', unclear);
      continue;
    }
    const name = destination.name.toLowerCase();
    const here = known.byDestination.get(name) ?? [];
    const opened = here
      .filter(({ user }) => user === undefined)
      .reduce<Access | undefined>((sum, each) => union(sum, each.access), undefined);
    if (sameAccess(opened, access))
      explained.push({
        source,
        destination,
        access,
        client: id,
        scopes: [...new Set(here.map(grantOf))].toSorted(),
        ...(hold === undefined ? {} : { hold }),
      });
    else if (here.length > 0 && !covers(access, opened))
      refuse('OpensMore', 'the scopes of its client open more than the intention does');
    else if (here.length > 0)
      refuse(
        'OpensLess',
        here.some(({ user }) => user !== undefined)
          ? 'the scopes of its client open it only to calls with the token of a user'
          : 'the scopes of its client open a part of it',
      );
    else refuse(...whyNothing(name, known.client, unused, mapping));
  }
  return { explained, unexplained };
}

function grantOf({ scope, api }: Opening): string {
  return toGrantText({ name: scope, ...(api === undefined ? {} : { api }) });
}

function whyNothing(
  destination: string,
  client: NonNullable<ReturnType<typeof findClient>>,
  unused: ReadonlyMap<string, UnusedScope>,
  mapping: ProposalInput['mapping'],
): readonly [UnexplainedEdge['reason'], string] {
  const kind = classify(client, mapping);
  const names = ({ name, api = '' }: (typeof client.grants)[number]) =>
    destinationsIn(`${name} ${api}`.toLowerCase(), (each) => each === destination).length > 0;
  const naming = client.grants.filter(names);
  const limited = naming.find(({ name }) => !mayUseScope(kind, name, mapping));
  if (limited !== undefined)
    return ['ActorLimit', `the scope ${toGrantText(limited)} is not for clients of kind ${kind}`];
  if (needsHuman(kind, mapping))
    return ['ActorLimit', `a client of kind ${kind} needs a user behind each call`];
  const { provider } = client;
  for (const scope of naming) {
    const found = unused.get(scopeText({ provider, scope }));
    if (found?.reason === 'WouldOpenMore' || found?.reason === 'NotWritable')
      return [found.reason, `scope ${toGrantText(scope)}: ${found.detail}`];
  }
  const several = client.grants.find(
    (scope) => unused.get(scopeText({ provider, scope }))?.reason === 'SeveralDestinations',
  );
  if (several !== undefined)
    return ['SeveralScopes', `scope ${toGrantText(several)} may be its reason, and others as well`];
  return ['NoScope', `the client ${nameOf(client)} has no scope that names the destination`];
}
