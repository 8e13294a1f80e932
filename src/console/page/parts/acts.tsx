import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api.js';
import { now } from '../clock.js';
import { status } from '../live.js';
import { pathOf } from '../query.js';
import { address, navigate } from '../router.js';
import { session, takeTyped } from '../session.js';
import { type Act, ActForm } from './act-form.js';
import { Modal } from './dialogs.js';
import { Name } from './name.js';
import { useQuestion } from './use-question.js';

/*
 * What a person can begin: each is a dialog over any page, and it is in the address. So a person who must sign in again comes
 * back to it.
 */

const NAMES = {
  quarantine: 'Close a client',
  deny: 'Deny an edge',
  'break-glass': 'Open an edge for some time',
  freeze: 'Freeze changes',
} as const;
type ActName = keyof typeof NAMES;
const RIGHTS = {
  quarantine: 'quarantine',
  deny: 'deny',
  'break-glass': 'askBreakGlass',
  freeze: 'freeze',
} as const;
const PARAMETERS = ['act', 'provider', 'id', 'source', 'destination'] as const;
type About = { readonly [Each in Exclude<(typeof PARAMETERS)[number], 'act'>]?: string };

/** Opens the dialog of an act; a person without the right sees why not. */
export function ActLink({
  act,
  about = {},
  children,
}: {
  readonly act: ActName;
  readonly about?: About;
  readonly children: ComponentChildren;
}) {
  const right = session().may[RIGHTS[act]];
  // A person whose sign-in is too old signs in again in the dialog.
  if (right !== true && session().again === null)
    return (
      <button type="button" class="button" disabled title={right}>
        {children}
      </button>
    );
  return (
    <a class="button" href={addressWith({ act, ...about })}>
      {children}
    </a>
  );
}

function addressWith(about: About & { readonly act?: ActName }): string {
  const { pathname, search } = address.value;
  const parameters = new URLSearchParams(search);
  for (const name of PARAMETERS) parameters.delete(name);
  for (const [name, value] of Object.entries(about)) parameters.set(name, value);
  return parameters.size === 0 ? pathname : `${pathname}?${parameters}`;
}

function close(): void {
  navigate(addressWith({}), { replace: true });
}

/** The dialog that the address names. */
export function ActDialog() {
  const { searchParams } = address.value;
  const act = searchParams.get('act');
  const isName = (text: string | null): text is ActName => text !== null && Object.hasOwn(NAMES, text);
  if (!isName(act)) return null;
  const about = Object.fromEntries(PARAMETERS.map((name) => [name, searchParams.get(name) ?? '']));
  return (
    <Modal name={NAMES[act]} close={close}>
      <div class="titled">
        <h2>{NAMES[act]}</h2>
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </div>
      <ActBody key={address.value.search} act={act} about={about} />
    </Modal>
  );
}

const HOUR = 3600;
const TIMES = [
  [900, '15 minutes'],
  [HOUR, '1 hour'],
  [4 * HOUR, '4 hours'],
  [24 * HOUR, '1 day'],
  [7 * 24 * HOUR, '7 days'],
] as const;

function ActBody({ act, about }: { readonly act: ActName; readonly about: Record<string, string> }) {
  const { provider = '', id = '' } = about;
  const [asked] = useState(() => {
    const { source = '', destination = '' } = about;
    return takeTyped({ source, destination, path: '', seconds: String(HOUR) });
  });
  const { typed, field } = useQuestion(asked, () => {});
  const { source, destination, path } = typed;
  const seconds = Number(typed.seconds);
  const right = session().may[RIGHTS[act]];
  const instance = session().instance.name;
  const since = () => status.value?.asOf.at ?? new Date(now.value).toISOString();
  const make = (name: string, tone: Act['tone'], send: Act['send']): Act => ({ name, tone, right, send });
  const edge = (
    <div class="question">
      <label>
        <span class="soft">Caller</span>
        <input {...field('source')} required />
      </label>
      <label>
        <span class="soft">calls</span>
        <input {...field('destination')} required />
      </label>
    </div>
  );
  const time = (
    <label>
      <span class="soft">For</span>
      <select {...field('seconds')}>
        {TIMES.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
        {act === 'freeze' && <option value={0}>until a person ends it</option>}
      </select>
    </label>
  );
  switch (act) {
    case 'quarantine':
      return (
        <ActForm
          acts={[
            make('Close the client', 'danger', async (reason) => {
              const at = since();
              await post(pathOf('/api/quarantines', provider, id), { reason });
              return [{ what: `${id} is closed by you`, subject: pathOf('client', provider, id), since: at }];
            }),
          ]}
        >
          <p>
            scopemesh closes every edge of <Name text={id} isCode /> in <strong>{instance}</strong> at once,
            and opens none, until its secret is new or a person ends the quarantine.
          </p>
        </ActForm>
      );
    case 'deny':
      return (
        <ActForm
          acts={[
            make('Deny it', 'danger', async (reason) => {
              await post('/api/denies', { source, destination, reason, forSeconds: seconds });
              return [{ what: `${source} may not call ${destination}, by you` }];
            }),
          ]}
        >
          <p>
            The edge closes at once, whatever the identity provider says, until the time is over or a person
            ends it.
          </p>
          {edge}
          {time}
        </ActForm>
      );
    case 'break-glass':
      return (
        <ActForm
          acts={[
            make('Open it', 'danger', async (reason) => {
              const body = {
                source,
                destination,
                reason,
                forSeconds: seconds,
                ...(path === '' ? {} : { path }),
              };
              const { grant } = (await post('/api/break-glass', body)) as {
                grant: { id: string; state: string };
              };
              navigate(pathOf('/waiting', grant.id));
              return [];
            }),
          ]}
        >
          <p>
            The identity provider does not grant this edge. It is open for the time, and then closes by
            itself. Where two persons must agree, another one approves it first.
          </p>
          {edge}
          <label>
            <span class="soft">Path, and all below it</span>
            <input {...field('path')} placeholder="any" />
          </label>
          {time}
        </ActForm>
      );
    case 'freeze':
      return (
        <ActForm
          acts={[
            make('Freeze', 'danger', async (reason) => {
              await post('/api/freeze/start', { reason, ...(seconds === 0 ? {} : { forSeconds: seconds }) });
              return [{ what: 'Changes are frozen by you' }];
            }),
          ]}
        >
          <p>
            What would open access in <strong>{instance}</strong> waits. Revocations pass.
          </p>
          {time}
        </ActForm>
      );
  }
}
