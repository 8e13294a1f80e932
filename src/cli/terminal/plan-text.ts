import type { AclChange } from '../../acl/plan/acl-change.js';
import { accessText } from '../../app/access-text.js';
import { countText } from '../../app/count-text.js';
import type { KnownHold, KnownHolds } from '../../app/plan-view.js';
import { notWrittenText, type PlanSummary, type Sign, signOf, summaryOf } from '../../app/plan-view.js';
import { compareText } from '../../model/compare-text.js';
import type { DecidedPerson, WriteVerb } from '../../model/decision.js';
import { groupBy } from '../../model/group-by.js';
import type { Mapping } from '../../model/rule.js';
import type { ClaimChange } from '../../plan/claim-changes.js';
import { holdKey, isApprovable } from '../../plan/holds.js';
import type { Change, Hold, PlannedClient } from '../../plan/plan.js';
import type { JwtProviderChange } from '../../plan/plan-jwt-providers.js';
import { type FleetPlan, isAnythingToDo } from '../../reconcile/fleet-plan.js';
import type { WhatIf } from '../what-if.js';
import { personText } from './decision-text.js';
import { columns, printable, type Screen } from './screen.js';

/** Prints a plan as `terraform plan` does: a block for each destination, the holds, and a summary in one line. */
export function printPlan(
  plan: FleetPlan,
  mapping: Mapping,
  known: KnownHolds,
  screen: Screen,
  whatIf?: WhatIf,
  approve = approveCommand,
): void {
  const { colors } = screen;
  const isEmpty = !isAnythingToDo(plan);
  if (whatIf !== undefined) {
    screen.line(`What if ${printable(whatIf.assumptions.join(' and '))}:`);
    screen.line();
  }
  if (!isEmpty) {
    const isWritten = notWrittenText(mapping) === '';
    screen.line(
      isWritten
        ? `In mode ${mapping.mode}, scopemesh would write to Consul:`
        : `Mode ${mapping.mode} writes nothing. In mode enforce, scopemesh would write to Consul:`,
    );
    screen.line();
    printBlock('claims', plan.claims.map(claimRow), screen);
    printBlock('jwt-providers', plan.jwtProviders.map(jwtProviderRow), screen);
    for (const [destination, changes] of byDestination(plan.changes))
      printBlock(destination, changes.map(changeRow), screen);
    // In the order of their writes.
    printBlock('ACL objects', plan.acl.changes.map(aclRow), screen);
  }
  printHolds(plan.holds, known, screen, 'Held:', approve);
  if (isEmpty)
    screen.line(
      plan.holds.length === 0 ? 'No changes. Consul matches the identity provider.' : 'No changes.',
    );
  if (!isEmpty || plan.holds.length > 0) screen.line(colors.bold(summaryText(summaryOf(plan), mapping)));
  if (whatIf !== undefined && whatIf.alreadyPending > 0) screen.line(pendingText(whatIf));
}

/** The changes that the assumptions do not explain. */
export function pendingText({ alreadyPending }: WhatIf): string {
  return `${alreadyPending} of these changes ${alreadyPending === 1 ? 'is' : 'are'} pending without this assumption.`;
}

/** `Plan: 2 to open, 0 to change, 0 to close, 1 held.` */
export function summaryText(
  { open, change, close, held, claims, jwtProviders, acl }: PlanSummary,
  mapping: Pick<Mapping, 'mode'>,
): string {
  const notWritten = notWrittenText(mapping);
  const records = claims === 0 ? '' : ` ${countText(claims, 'claim')} to record.`;
  const objects = `${countsText('jwt-providers', jwtProviders)}${countsText('ACL objects', acl)}`;
  const edges = [`${open} to open`, `${change} to change`, `${close} to close`];
  // In a mode that writes nothing, the note follows the counts of changes, and counts of 0 are left out.
  const some = edges.filter((text) => !text.startsWith('0 '));
  const shown = notWritten === '' || some.length === 0 ? edges : some;
  return `Plan: ${shown.join(', ')}${notWritten}, ${held} held.${records}${objects}`;
}

function countsText(of: string, counts: PlanSummary['acl']): string {
  if (counts.create + counts.update + counts.delete === 0) return '';
  return ` ${of}: ${counts.create} to create, ${counts.update} to update, ${counts.delete} to delete.`;
}

/** Prints holds by reason and remedy, and the command that approves a hold below it. */
export function printHolds(
  holds: readonly Hold[],
  known: KnownHolds,
  screen: Screen,
  title: string,
  approve = approveCommand,
): void {
  if (holds.length === 0) return;
  const { colors } = screen;
  screen.line(title);
  screen.line();
  const groups = groupBy(holds, ({ reason, detail }) => `${reason}: ${detail}`);
  for (const [why, group] of groups) {
    screen.line(`  ${colors.yellow(printable(why))}`);
    printRows(
      group.map((hold) => ({ ...holdRow(hold), below: approveText(hold, known, approve) })),
      screen,
    );
    if (group.some((hold) => isApprovable(hold.reason) && !known.has(holdKey(hold))))
      screen.line(`      ${colors.dim(NO_ID)}`);
    screen.line();
  }
}

const NO_ID =
  'A hold without a command has no ID yet. The running daemon gives it one (scopemesh run), and so does scopemesh apply.';

function approveText(hold: Hold, known: KnownHolds, approve: typeof approveCommand): string | undefined {
  const found = isApprovable(hold.reason) ? known.get(holdKey(hold)) : undefined;
  return found && approve(found);
}

/** The command that releases a hold. */
export function approveCommand({
  decisionId,
  rejectedBy,
}: Pick<KnownHold, 'decisionId' | 'rejectedBy'>): string {
  return `scopemesh approve ${rejectedBy === null ? '' : '--override '}${decisionId}`;
}

interface Row {
  readonly sign: Sign | '!';
  readonly cells: readonly string[];
  /** A line of its own under the row. */
  readonly below?: string | undefined;
}

function printBlock(title: string, rows: readonly Row[], screen: Screen): void {
  if (rows.length === 0) return;
  screen.line(`  ${screen.colors.bold(title)}`);
  printRows(rows, screen);
  screen.line();
}

function printRows(rows: readonly Row[], screen: Screen): void {
  const texts = columns(rows.map(({ cells }) => cells));
  texts.forEach((text, index) => {
    const { sign = '!', below } = rows[index] ?? {};
    screen.line(`    ${paintSign(sign, screen)} ${text}`);
    if (below !== undefined) screen.line(`      ${printable(below)}`);
  });
}

function paintSign(sign: Row['sign'], { colors }: Screen): string {
  const paint = { '+': colors.green, '~': colors.yellow, '-': colors.red, '!': colors.yellow }[sign];
  return paint(sign);
}

function changeRow(change: Change): Row {
  const sign = signOf(change);
  const access =
    sign === '+'
      ? accessText(change.after)
      : sign === '-'
        ? `${accessText(change.before)}${change.after === undefined ? '' : ' (closed by a deny)'}`
        : `${accessText(change.before)} -> ${accessText(change.after)}`;
  return { sign, cells: [printable(change.source.name), access, change.reason, byText(change)] };
}

function holdRow(hold: Hold): Row {
  const { kind, source, destination, name } = hold.resource;
  if (source === undefined || destination === undefined)
    return { sign: '!', cells: [printable(name ?? hold.subject), aclKindText(kind), byText(hold)] };
  const what =
    hold.before === undefined && hold.after === undefined
      ? ''
      : `${accessText(hold.before)} -> ${accessText(hold.after)}`;
  return { sign: '!', cells: [printable(`${source} -> ${destination}`), what, byText(hold)] };
}

export function byText(of: {
  readonly scopes: readonly string[];
  readonly client?: PlannedClient;
  readonly person?: DecidedPerson;
}): string {
  const { client, person, scopes } = of;
  const who =
    client !== undefined
      ? `client ${client.provider}/${client.clientId} (${client.actorKind})`
      : person === undefined
        ? ''
        : personText(person);
  const which = scopes.length === 0 ? '' : `scopes ${scopes.join(' ')}`;
  return printable([which, who].filter((part) => part !== '').join(', '));
}

const SIGNS: Readonly<Record<WriteVerb, Sign>> = { created: '+', updated: '~', deleted: '-' };

function claimRow({ client, service, verb }: ClaimChange): Row {
  const cells = [printable(service.name), printable(`client ${client.provider}/${client.clientId}`)];
  return { sign: SIGNS[verb], cells };
}

function jwtProviderRow({ name, verb, after }: JwtProviderChange): Row {
  const what = after === undefined ? '' : `tokens of ${after.issuer} for ${after.audiences.join(', ')}`;
  return { sign: SIGNS[verb], cells: [printable(name), printable(what)] };
}

function aclRow(change: AclChange): Row {
  const { resource, verb, step } = change;
  const kind = aclKindText(resource.kind);
  const services =
    change.reason === 'ServiceNamed' && resource.kind === 'acl-role' ? identitiesOf(change) : '';
  const what = step.do === 'end-tokens' ? 'tokens' : `${kind}${services}`;
  return { sign: SIGNS[verb], cells: [printable(resource.name ?? ''), what, change.reason, byText(change)] };
}

/** The services as which a role lets its client log in. */
function identitiesOf({ after }: AclChange): string {
  const names = after !== undefined && 'serviceIdentities' in after ? after.serviceIdentities : [];
  return ` of service ${printable(names.join(', '))}`;
}

/** `acl-auth-method` is an auth method. */
export function aclKindText(kind: string): string {
  return kind.replace(/^acl-/, '').replaceAll('-', ' ');
}

function byDestination(changes: readonly Change[]): ReadonlyMap<string, readonly Change[]> {
  const groups = groupBy(changes, ({ resource }) => {
    const { destination = '', namespace = 'default', partition = 'default' } = resource;
    const place = namespace === 'default' && partition === 'default' ? '' : ` (${partition}/${namespace})`;
    return printable(destination + place);
  });
  return new Map([...groups].toSorted(([a], [b]) => compareText(a, b)));
}
