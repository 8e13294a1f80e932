import { onlyApiOf } from '../../../config/mapping-revision.js';
import { readProposedRules } from '../../../config/proposed-rules.js';
import { planNow } from '../../app/plan-now.js';
import { type KnownHolds, planDocument, summaryOf } from '../../app/plan-view.js';
import { type Simulated, simulate } from '../../app/what-if.js';
import { principalText } from '../../model/cause.js';
import type { Mapping } from '../../model/rule.js';
import { toShellWord } from '../../model/shell-word.js';
import { holdKey } from '../../plan/holds.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { PlanPage, WhatIf, World } from '../answers.js';
import { heldIn } from './held.js';
import { beginAnswer, type ConsoleParts } from './parts.js';

const MOST = 500;

type FleetPlan = Simulated['after'];

/** `GET /api/plan`: the document of `scopemesh plan --json`, from what the daemon has last read. */
export async function readPlan(parts: ConsoleParts, signal: AbortSignal): Promise<PlanPage> {
  const head = await beginAnswer(parts);
  const { deps } = parts.live();
  const plan = await planNow(deps, signal);
  const known = plan.holds.length === 0 ? undefined : await knownHolds(parts, signal);
  return pageOf(head, plan, deps.world.mapping, known);
}

/** Only the rows that are shown are made: a plan may have tens of thousands. */
function pageOf(head: World, plan: FleetPlan, mapping: Mapping, known?: KnownHolds): PlanPage {
  const { claims, jwtProviders, changes, acl, holds } = plan;
  const first = <T>(rows: readonly T[]) => rows.slice(0, MOST);
  const shown = {
    ...{ jwtProviders, claims: first(claims), changes: first(changes), holds: first(holds) },
    acl: { ...acl, changes: first(acl.changes) },
  };
  const document = planDocument(shown, mapping, known);
  const all = claims.length + jwtProviders.length + changes.length + acl.changes.length;
  const rows = document.changes.slice(0, MOST);
  const left = { changes: all - rows.length, holds: holds.length - shown.holds.length };
  return { ...head, ...document, changes: rows, summary: summaryOf(plan), left };
}

async function knownHolds({ live }: ConsoleParts, signal: AbortSignal): Promise<KnownHolds> {
  const { journal, window } = live().deps;
  const holds = await runCooperatively(heldIn(await journal.readAll()), signal);
  return new Map(
    holds.map(({ subject, reason, decisionId, since, detail }) => {
      const rejection = window.rejections.of(subject);
      const rejectedBy = rejection === undefined ? null : principalText(rejection.by);
      return [holdKey({ subject, reason }), { reason, decisionId, rejectedBy, since, detail }];
    }),
  );
}

export interface WhatIfQuery {
  readonly client?: string | undefined;
  readonly add: string;
  readonly remove: string;
  readonly state?: 'disabled' | 'quarantined' | undefined;
  readonly rule?: string | undefined;
}

/** `GET /api/what-if`: what would come to the plan, by the daemon's planner on a view of the world. Throws ERR_CONFIG. */
export async function answerWhatIf(
  parts: ConsoleParts,
  query: WhatIfQuery,
  signal: AbortSignal,
): Promise<WhatIf> {
  const head = await beginAnswer(parts);
  const { config } = parts;
  const { deps } = parts.live();
  const { mapping } = deps.world;
  const asked = {
    ...query,
    add: scopesOf(query.add),
    remove: scopesOf(query.remove),
    rules: query.rule === undefined ? [] : await readProposedRules(query.rule, config),
  };
  const apiOf = (provider: string) => onlyApiOf(config.providers.find(({ name }) => name === provider));
  const simulated = await simulate(asked, deps, apiOf, signal);
  const { plan, alreadyPending, cancelled } = differenceOf(simulated);
  const { reach, client } = simulated;
  const name = client && `${client.provider}/${client.clientId}`;
  const [before, after] = [new Set(reach?.before), new Set(reach?.after)];
  return {
    ...pageOf(head, plan, mapping),
    assumptions: assumptionsOf(asked, name),
    alreadyPending,
    cancelled,
    reach:
      reach === undefined
        ? null
        : {
            before: before.size,
            after: after.size,
            gained: [...after].filter((each) => !before.has(each)).slice(0, MOST),
            lost: [...before].filter((each) => !after.has(each)).slice(0, MOST),
            protected: mapping.protectedServices.filter((each) => after.has(each)),
          },
    notes: [
      'Intentions alone are simulated, not ACL objects, logins or records of claims.',
      ...(simulated.awaits
        ? ['An edge waits for a jwt-provider, which scopemesh writes first; it is not in the rows.']
        : []),
    ],
    real: realOf(asked, name),
  };
}

/** What the supposition adds to the plan. */
function differenceOf({ before, after }: Simulated) {
  const textOf = ({ subject, verb, after: access }: FleetPlan['changes'][number]) =>
    JSON.stringify([subject, verb, access]);
  const pending = new Set(before.changes.map(textOf));
  const held = new Set(before.holds.map(holdKey));
  // Mostly nothing is pending, and then no text of thousands of changes is made.
  const changes =
    pending.size === 0 ? after.changes : after.changes.filter((each) => !pending.has(textOf(each)));
  const alreadyPending = after.changes.length - changes.length;
  return {
    plan: { ...after, changes, holds: after.holds.filter((each) => !held.has(holdKey(each))) },
    alreadyPending,
    cancelled: pending.size - alreadyPending,
  };
}

function scopesOf(text: string): readonly string[] {
  return [...new Set(text.split(/\s+/).filter((scope) => scope !== ''))];
}

type Asked = Pick<WhatIfQuery, 'state' | 'rule'> & {
  readonly add: readonly string[];
  readonly remove: readonly string[];
};

function assumptionsOf({ add, remove, state, rule }: Asked, client: string | undefined): string[] {
  return [
    ...add.map((scope) => `${client} has the scope ${scope}`),
    ...remove.map((scope) => `${client} does not have the scope ${scope}`),
    ...(state === undefined ? [] : [`${client} is ${state === 'disabled' ? 'disabled' : 'in quarantine'}`]),
    ...(rule === undefined ? [] : ['the mapping has the rule too']),
  ];
}

function realOf({ add, remove, state, rule }: Asked, client: string | undefined): WhatIf['real'] {
  const scopes = [...add.map((scope) => `+scope=${scope}`), ...remove.map((scope) => `-scope=${scope}`)];
  const plan = (what: string) => `scopemesh plan --what-if ${toShellWord(what)}`;
  return [
    ...(scopes.length === 0
      ? []
      : [
          {
            where: 'identity-provider' as const,
            what: `Change the scopes of ${client} at the identity provider. This command simulates the same from a full read:`,
            command: plan(`client=${client},${scopes.join(',')}`),
          },
        ]),
    ...(state === 'disabled'
      ? [
          {
            where: 'identity-provider' as const,
            what: `Disable ${client} at the identity provider. Then this command shows what is left to do:`,
            command: 'scopemesh plan',
          },
        ]
      : []),
    ...(state === 'quarantined'
      ? [
          {
            where: 'scopemesh' as const,
            what: 'An operator puts the client in quarantine:',
            command: `scopemesh quarantine ${toShellWord(client ?? '')}`,
          },
        ]
      : []),
    ...(rule === undefined
      ? []
      : [
          {
            where: 'mapping' as const,
            what: 'Add the rule under scopes in a copy of the configuration, check it, and let the daemon load it:',
            command: plan('file=new.yaml'),
          },
        ]),
  ];
}
