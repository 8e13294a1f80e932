import { createHash } from 'node:crypto';
import { type Caller, principalOf, rightOf } from '../../daemon/rights.js';
import type { BreakGlass } from '../../model/break-glass.js';
import { isSamePerson, type Principal, principalText } from '../../model/cause.js';
import type { Deny } from '../../model/ruling.js';
import { identityOf } from '../../operator/approvals.js';
import { GRANTS } from '../../operator/break-glass.js';
import { DENIES, identityOfDeny } from '../../operator/denies.js';
import { type FirstApproval, firstApprovalOf, sameText } from '../../operator/first-approvals.js';
import { readFreeze, SCHEDULED_FREEZE } from '../../operator/freezes.js';
import { quarantineOf, storedBlocks } from '../../operator/quarantines.js';
import { readRulings } from '../../operator/ruling-store.js';
import { breakGlassState } from '../../plan/break-glass.js';
import { toBreakGlassView } from '../../plan/break-glass-view.js';
import { isInEffect } from '../../plan/deny.js';
import { endedHold, isApprovable } from '../../plan/holds.js';
import { clientSubject } from '../../plan/plan.js';
import { type ClientId, parseClientText } from '../../plan/world.js';
import type { RecordedHold } from '../../queue/journal.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { Waiting, WaitingPage, WaitingRow } from '../answers.js';
import { heldIn } from './held.js';
import { pageOf } from './page-of.js';
import { beginAnswer, type ConsoleParts, NoSuchThing, shownClient } from './parts.js';

type Parts = Pick<ConsoleParts, 'live' | 'store'>;
type Kind = WaitingRow['kind'];
/** What is shown, which the fingerprint is of. */
type Shown = Omit<WaitingRow, 'fingerprint' | 'isMine' | 'may'>;
type Rights = WaitingRow['may'];

/** One thing that waits, before it is read completely. */
interface Item {
  readonly id: string;
  readonly kind: Kind;
  readonly since: string | null;
  /** As it is shown, and what the caller may do about it. `by`: who asked for it or approved it first. */
  read(may: (action: Parameters<typeof rightOf>[1]) => true | string, caller: Principal): Promise<Read>;
}

interface Read {
  readonly shown: Partial<Shown> & Pick<Shown, 'subject'>;
  readonly by: Principal | undefined;
  readonly may: Rights;
}

/** `GET /api/holds`: the newest comes first. */
export async function listWaiting(
  parts: ConsoleParts,
  { kind, ...page }: { kind?: Kind | undefined; cursor?: string | undefined; limit: number },
  signal: AbortSignal,
  caller: Caller,
): Promise<Waiting> {
  const head = await beginAnswer(parts);
  const items = (await itemsOf(parts, signal)).filter((each) => kind === undefined || each.kind === kind);
  const { rows, ...rest } = pageOf(
    items,
    ({ id, since }) => ({ value: since === null ? 0 : Date.parse(since), name: id }),
    page,
  );
  return { ...head, ...rest, rows: await Promise.all(rows.map((each) => rowOf(each, caller, parts))) };
}

/** `GET /api/holds/{id}`. */
export async function readWaiting(
  parts: ConsoleParts,
  id: string,
  signal: AbortSignal,
  caller: Caller,
): Promise<WaitingPage> {
  const head = await beginAnswer(parts);
  const row = await waitingRow(parts, id, signal, caller);
  if (row === undefined) throw new NoSuchThing('this does not wait for a person any more');
  return { ...head, ...row };
}

/** Undefined if nothing with this ID waits. */
export async function waitingRow(
  parts: Parts,
  id: string,
  signal: AbortSignal,
  caller: Caller,
): Promise<WaitingRow | undefined> {
  const item = (await itemsOf(parts, signal)).find((each) => each.id === id);
  return item && rowOf(item, caller, parts);
}

/** The ID by which the freeze in effect is shown. */
export const FREEZE_ID = 'freeze';

/** The ID by which the quarantine of a client is shown. */
export function quarantineId({ provider, clientId }: ClientId): string {
  return `quarantine:${provider}/${clientId}`;
}

async function rowOf(item: Item, caller: Caller, { live }: Parts): Promise<WaitingRow> {
  const self = principalOf(caller);
  const { shown: own, by, may } = await item.read((action) => rightOf(caller, action), self);
  const shown: Shown = {
    ...{ id: item.id, kind: item.kind, since: item.since, isOpen: false },
    ...{ from: null, to: null, client: null, action: null, reason: null, detail: null, scopes: [] },
    ...{ before: null, after: null, until: null, by: null, firstApproval: null, rejectedBy: null },
    ...{ approvers: live().deps.world.mapping.approvers, decision: null },
    ...own,
  };
  const fingerprint = createHash('sha256').update(JSON.stringify(shown)).digest('base64url').slice(0, 22);
  return { ...shown, fingerprint, isMine: by !== undefined && isSamePerson(by, self), may };
}

/** Where the rulings of people are. */
function rulingsIn({ live, store }: Parts) {
  return { journal: store.journal, world: live().deps.world };
}

async function itemsOf(parts: Parts, signal: AbortSignal): Promise<readonly Item[]> {
  const { deps } = parts.live();
  const { world, journal, clock } = deps;
  const now = clock.now();
  const rulings = rulingsIn(parts);
  const [records, grants, denies, freeze, blocks] = await Promise.all([
    journal.readAll(),
    readRulings(GRANTS, rulings),
    readRulings(DENIES, rulings),
    readFreeze({ ...rulings, clock }),
    storedBlocks(rulings),
  ]);
  const holds = await runCooperatively(heldIn(records), signal);
  const instants = new Map(blocks.map((each) => [clientSubject(each), each]));
  return [
    ...holds.filter(({ reason }) => isApprovable(reason)).map((hold) => itemOfHold(hold, parts)),
    ...grants
      .filter((each) => breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)) !== 'ended')
      .map((each) => itemOfGrant(each, parts)),
    ...[...world.view(now).clientBlocks]
      .filter(([, block]) => block === 'ClientQuarantined')
      .map(([text]) => parseClientText(text))
      .map((id) => itemOfQuarantine(id, instants.get(clientSubject(id)), parts)),
    ...denies.filter((each) => isInEffect(each, now)).map((each) => itemOfDeny(each, parts)),
    ...(freeze === undefined ? [] : [itemOfFreeze(freeze, world.mapping.owner)]),
  ];
}

function itemOfHold(hold: RecordedHold, parts: Parts): Item {
  const { subject, reason, detail, decisionId, since, change } = hold;
  return {
    ...{ id: decisionId, kind: 'hold', since },
    async read(may, caller) {
      const first = await firstApprovalOf({ subject, of: identityOf(hold) }, rulingsIn(parts));
      const rejection = parts.live().deps.window.rejections.of(subject);
      const { source = null, destination = null } = endedHold(hold).resource;
      const shown = {
        ...{ isOpen: true, subject, from: source, to: destination, reason, detail: detail ?? null },
        client: shownClient(change?.client),
        action: change?.action ?? null,
        scopes: [...(change?.scopes ?? [])],
        ...{ before: change?.before ?? null, after: change?.after ?? null },
        firstApproval: viewOf(first),
        rejectedBy: rejection === undefined ? null : principalText(rejection.by),
        decision: decisionId,
      };
      // What the mapping must not open is taken out of the mapping.
      const isRejectable = reason !== 'MappingDiffers';
      const reject = isRejectable ? { reject: may('reject') } : {};
      return { shown, by: first?.by, may: { approve: second(may('approve'), first, caller), ...reject } };
    },
  };
}

function itemOfGrant(grant: BreakGlass, { live }: Parts): Item {
  const { id, source, destination, askedBy, reason, client } = grant;
  const { world, clock } = live().deps;
  const { mapping } = world;
  const view = toBreakGlassView(grant, mapping, world.breakGlass.timeAt(clock.now()));
  const isOpen = view.state === 'asked';
  return {
    ...{ id, kind: 'break-glass', since: view.openedAt ?? view.askedAt },
    async read(may, caller) {
      const { methods, path, forSeconds, duringFreeze, until, approvedBy } = view;
      const right = may('approve');
      const isOwn = isSamePerson(askedBy, caller);
      const own = `${principalText(askedBy)} asked for this break-glass grant, so another person must approve it`;
      const rights: Rights = isOpen
        ? { approve: right === true && isOwn ? own : right, reject: may('reject') }
        : {};
      return {
        shown: {
          ...{ isOpen, subject: GRANTS.recordOf(grant), from: source, to: destination, detail: reason },
          client: shownClient(client),
          action: 'grant',
          after: { methods, path, forSeconds, duringFreeze, approvedBy },
          ...{ until, by: principalText(askedBy), decision: id },
        },
        by: askedBy,
        may: { ...rights, endBreakGlass: may('endBreakGlass') },
      };
    },
  };
}

function itemOfQuarantine(
  client: ClientId,
  block: { readonly receivedAt: string; readonly decisionId?: string } | undefined,
  parts: Parts,
): Item {
  return {
    ...{ id: quarantineId(client), kind: 'quarantine', since: block?.receivedAt ?? null },
    async read(may, caller) {
      const subject = clientSubject(client);
      const rulings = rulingsIn(parts);
      const of = await quarantineOf(client, rulings);
      const first = of === undefined ? undefined : await firstApprovalOf({ subject, of }, rulings);
      return {
        shown: {
          ...{ subject, client: shownClient(client), firstApproval: viewOf(first) },
          decision: block?.decisionId ?? null,
        },
        by: first?.by,
        may: { release: second(may('release'), first, caller) },
      };
    },
  };
}

function itemOfDeny(deny: Deny, parts: Parts): Item {
  const { about, reason, by, since, until } = deny;
  const subject = DENIES.recordOf(deny);
  return {
    ...{ id: subject, kind: 'deny', since: new Date(since).toISOString() },
    async read(may, caller) {
      const first = await firstApprovalOf({ subject, of: identityOfDeny(deny) }, rulingsIn(parts));
      return {
        shown: {
          ...{ subject, from: about.source, to: about.destination, detail: reason, by: principalText(by) },
          ...{ until: new Date(until).toISOString(), firstApproval: viewOf(first) },
        },
        by,
        may: { endDeny: second(may('endDeny'), first, caller) },
      };
    },
  };
}

function itemOfFreeze(freeze: NonNullable<Awaited<ReturnType<typeof readFreeze>>>, owner: string): Item {
  const { kind, since, until, reason = null, by } = freeze;
  return {
    ...{ id: FREEZE_ID, kind: 'freeze', since: new Date(since).toISOString() },
    async read(may) {
      return {
        shown: {
          ...{ subject: `freeze/${owner}`, detail: reason, by: by === undefined ? null : principalText(by) },
          until: until === undefined ? null : new Date(until).toISOString(),
        },
        by,
        may: { unfreeze: kind === 'scheduled' ? SCHEDULED_FREEZE : may('unfreeze') },
      };
    },
  };
}

/** Of two persons who must agree, the first is not the second. */
function second(right: true | string, first: FirstApproval | undefined, caller: Principal): true | string {
  return right === true && first !== undefined && isSamePerson(first.by, caller) ? sameText(first.by) : right;
}

function viewOf(first: FirstApproval | undefined): WaitingRow['firstApproval'] {
  return first === undefined
    ? null
    : { by: principalText(first.by), at: first.at, comment: first.by.comment ?? null };
}
