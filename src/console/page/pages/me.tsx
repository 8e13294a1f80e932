import type { Session } from '../../answers.js';
import { setSingleKeys, singleKeys } from '../keys.js';
import { Heading } from '../parts/heading.js';
import { Name } from '../parts/name.js';
import { signOut } from '../session.js';

/** Who I am here, what I may do, and until when. */
export function MePage({ session }: { readonly session: Session }) {
  const { person, roles, may, instance, endsAt } = session;
  return (
    <>
      <Heading title="Me">Me</Heading>
      <dl class="facts">
        <dt>Person</dt>
        <dd>
          <Name text={person.name} /> <Name text={person.id} isCode />
        </dd>
        <dt>Roles</dt>
        <dd>{roles.length === 0 ? 'none: you see nothing of the mesh' : roles.join(', ')}</dd>
        <dt>Session ends</dt>
        <dd>
          {endsAt === null ? 'never' : <time dateTime={endsAt}>{new Date(endsAt).toLocaleString()}</time>}
        </dd>
        <dt>scopemesh</dt>
        <dd>
          {instance.version} <span class="soft">{instance.commit}</span>
        </dd>
      </dl>
      <h2>What I may do</h2>
      <ul class="rights">
        {Object.entries(may).map(([action, allowed]) => (
          <li key={action}>
            <span class={allowed === true ? 'badge good' : 'badge'}>{allowed === true ? 'yes' : 'no'}</span>{' '}
            <strong>{inWords(action)}</strong> {allowed !== true && <span class="soft">{allowed}</span>}
          </li>
        ))}
      </ul>
      <h2>Settings</h2>
      <label>
        <input
          type="checkbox"
          checked={singleKeys.value}
          onChange={({ currentTarget }) => setSingleKeys(currentTarget.checked)}
        />{' '}
        A key alone does something: <kbd>?</kbd> lists them
      </label>
      <p>
        <button type="button" class="button" onClick={() => signOut()}>
          Sign out
        </button>
      </p>
    </>
  );
}

/** `endDeny` as a person would write it. */
function inWords(action: string): string {
  return action.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
