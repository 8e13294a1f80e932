import { toPathText } from '../../../model/plain-path.js';
import type { PlannedChange, PlannedHold, PlanPage } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { pathOf } from '../query.js';
import { Icon } from './icon.js';
import { Chips, ClientLink, Name } from './name.js';
import { Section } from './section.js';

type Planned = Pick<PlanPage, 'changes' | 'holds' | 'summary' | 'left' | 'isWritten' | 'mode'>;

/** What would change, by destination and then by reason, with counts on top. */
export function PlanRows({ plan, empty }: { readonly plan: Planned; readonly empty: string }) {
  const { changes, holds, summary, left } = plan;
  const groups = groupsOf(changes, ({ resource }) => resource.destination ?? resource.kind);
  const objects = ['claims' as const, 'jwtProviders' as const, 'acl' as const].map(
    (kind) => [kind, countOf(summary[kind])] as const,
  );
  return (
    <>
      {!plan.isWritten && (
        <p class="note warn" role="note">
          Mode {cleanText(plan.mode)}: nothing is written. This is what mode enforce would write.
        </p>
      )}
      <p>
        <span class="badge good">
          <Icon name="yes" /> {summary.open} open
        </span>{' '}
        <span class="badge">
          <Icon name="changes" /> {summary.change} change
        </span>{' '}
        <span class="badge bad">
          <Icon name="no" /> {summary.close} close
        </span>{' '}
        <span class="badge warn">
          <Icon name="hold" /> {summary.held} held
        </span>
        {objects.map(
          ([kind, count]) =>
            count > 0 && (
              <>
                {' '}
                <span class="badge" key={kind}>
                  {count} {OBJECTS[kind]}
                </span>
              </>
            ),
        )}
      </p>
      {changes.length + holds.length === 0 && <p class="empty">{empty}</p>}
      {groups.map(([destination, rows]) => (
        <details key={destination} open={groups.length <= OPEN_GROUPS}>
          <summary>
            <strong>
              <Name text={destination} />
            </strong>{' '}
            <span class="count">{rows.length}</span>
          </summary>
          {groupsOf(rows, ({ reason }) => reason).map(([reason, same]) => (
            <section key={reason}>
              <p class="soft">{cleanText(reason)}</p>
              <ul class="rows">
                {same.map((row) => (
                  <li key={`${row.verb} ${row.subject}`} class="row edge">
                    <ChangeRow row={row} />
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </details>
      ))}
      {holds.length > 0 && (
        <Section title="Held, and by which guard">
          <ul class="rows">
            {holds.map((hold) => (
              <li key={`${hold.subject} ${hold.reason}`} class="row edge held">
                <HoldRow hold={hold} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      {left.changes + left.holds > 0 && (
        <p class="soft">
          {left.changes} more changes and {left.holds} more holds: <code>scopemesh plan</code> prints them
          all.
        </p>
      )}
    </>
  );
}

/** With more groups, each opens by a click. */
const OPEN_GROUPS = 12;

const OBJECTS = { claims: 'records of claims', jwtProviders: 'jwt-providers', acl: 'ACL objects' } as const;

function countOf(counts: PlanPage['summary']['acl'] | number): number {
  return typeof counts === 'number' ? counts : counts.create + counts.update + counts.delete;
}

function groupsOf<T>(rows: readonly T[], nameOf: (row: T) => string): (readonly [string, readonly T[]])[] {
  const groups = new Map<string, T[]>();
  for (const row of rows) groups.set(nameOf(row), [...(groups.get(nameOf(row)) ?? []), row]);
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

const ACTIONS: Readonly<
  Record<string, readonly [icon: 'yes' | 'no' | 'changes', tone: string, word: string]>
> = {
  grant: ['yes', 'good', 'opens'],
  revoke: ['no', 'bad', 'closes'],
};

function ChangeRow({ row }: { readonly row: PlannedChange }) {
  const [icon, tone, word] = ACTIONS[row.action] ?? ['changes', '', 'changes'];
  return (
    <>
      <Pair row={row} />
      <span class={`badge ${tone}`}>
        <Icon name={icon} /> {word}
      </span>
      <p class="access">
        <del>
          <Name text={accessText(row.before)} most={120} />
        </del>{' '}
        <Icon name="arrow" />{' '}
        <ins>
          <Name text={accessText(row.after)} most={120} />
        </ins>
      </p>
      <Why row={row} />
    </>
  );
}

function HoldRow({ hold }: { readonly hold: PlannedHold }) {
  return (
    <>
      <Pair row={hold} />
      <span class="badge warn">
        <Icon name="hold" /> {cleanText(hold.reason)}
      </span>
      <p class="access">{cleanText(hold.detail)}</p>
      <Why row={hold} />
      {hold.decisionId !== null && (
        <p class="links">
          <a href={pathOf('/changes', hold.decisionId)}>decision</a>
        </p>
      )}
    </>
  );
}

function Pair({ row: { resource, subject } }: { readonly row: Pick<PlannedChange, 'resource' | 'subject'> }) {
  const { source, destination } = resource;
  return (
    <div class="pair">
      {source === undefined || destination === undefined ? (
        <Name text={subject} />
      ) : (
        <>
          <Name text={source} /> <Icon name="arrow" /> <Name text={destination} />
        </>
      )}
    </div>
  );
}

function Why({ row: { scopes, client } }: { readonly row: Pick<PlannedChange, 'scopes' | 'client'> }) {
  return (
    <p class="soft grow">
      <Chips names={scopes} />{' '}
      {client !== undefined && <ClientLink client={{ provider: client.provider, id: client.clientId }} />}
    </p>
  );
}

/** An access as decisions have it, in one line. */
function accessText(value: unknown): string {
  if ((value ?? null) === null) return 'nothing';
  const { access, permissions } = value as { readonly access?: string; readonly permissions?: unknown };
  if (access === 'allow') return 'everything';
  if (access === 'deny') return 'denied';
  if (!Array.isArray(permissions)) return JSON.stringify(value);
  return permissions.map(permissionText).join('; ');
}

/** `GET POST /v1/orders with header`. */
export function permissionText(permission: Readonly<Record<string, unknown>>): string {
  const { methods, pathExact, pathPrefix, pathRegex, ...more } = permission;
  const path =
    pathExact ??
    (pathPrefix === undefined ? undefined : `${pathPrefix}*`) ??
    (typeof pathRegex === 'string' ? toPathText(pathRegex) : 'any path');
  const rest = Object.keys(more).length === 0 ? '' : ` with ${Object.keys(more).join(' and ')}`;
  return `${Array.isArray(methods) ? methods.join(' ') : 'any method'} ${String(path)}${rest}`;
}
