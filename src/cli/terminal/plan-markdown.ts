import type { Mapping } from '../../model/rule.js';
import type { FleetPlan } from '../../reconcile/fleet-plan.js';
import { isAnythingToDo } from '../../reconcile/fleet-plan.js';
import { planDocument, type Sign, signOf, summaryOf } from '../plan-view.js';
import type { WhatIf } from '../what-if.js';
import { accessText } from './access-text.js';
import { clientCode, code, table } from './markdown.js';
import { pendingText, summaryText } from './plan-text.js';

/** GitHub takes comments of up to 65,536 characters, and the plan has three tables. */
const MAX_CHARACTERS = 18_000;

const VERBS: Readonly<Record<Sign, string>> = { '+': 'open', '~': 'change', '-': 'close' };

/**
 * The plan as Markdown for a comment on a merge request. Every name from a server is in a code span, where GitHub and
 * GitLab take nothing for markup, a link, a mention or a reference.
 */
export function planMarkdown(plan: FleetPlan, mapping: Mapping, whatIf?: WhatIf): string {
  const { changes, holds } = planDocument(plan, mapping);
  const edges = plan.changes.map((change) => [
    VERBS[signOf(change)],
    code(change.resource.source ?? ''),
    code(change.resource.destination ?? ''),
    code(`${accessText(change.before)} -> ${accessText(change.after)}`),
    change.reason,
    code(change.scopes.join(' ')),
    clientCode(change.client),
  ]);
  const objects = changes
    .filter(({ resource }) => resource.kind !== 'intention')
    .map(({ verb, resource, reason, ...change }) => [
      verb,
      resource.kind,
      code(('name' in resource ? resource.name : undefined) ?? ''),
      reason,
      clientCode('client' in change ? change.client : undefined),
    ]);
  const held = holds.map(({ reason, detail, resource, subject }) => {
    const { source, destination, name } = resource;
    const what = source === undefined ? subject : `${source} -> ${destination}`;
    return [reason, code(name ?? what), code(detail)];
  });
  const blocks = [
    `### scopemesh plan of ${code(mapping.owner)}`,
    ...(whatIf === undefined ? [] : [`What if ${whatIf.assumptions.map(code).join(' and ')}:`]),
    ...(isAnythingToDo(plan)
      ? []
      : [holds.length === 0 ? 'No changes. Consul matches the identity provider.' : 'No changes.']),
    ...table(['', 'source', 'destination', 'access', 'reason', 'scopes', 'client'], edges, MAX_CHARACTERS),
    ...table(['', 'object', 'name', 'reason', 'client'], objects, MAX_CHARACTERS),
    ...table(['held', 'what', 'why'], held, MAX_CHARACTERS),
    `**${summaryText(summaryOf(plan), mapping)}**`,
    ...(whatIf === undefined || whatIf.alreadyPending === 0 ? [] : [pendingText(whatIf)]),
  ];
  return blocks.join('\n\n');
}
