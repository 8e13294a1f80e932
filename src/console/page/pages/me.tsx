import { Name } from '../parts/name.js';
import { type Session, signOut } from '../session.js';

/** Who I am here, what I may do, and until when. */
export function MePage({ session }: { readonly session: Session }) {
  const { person, roles, may, instance, endsAt } = session;
  return (
    <>
      <h1>Me</h1>
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
            <strong>{action}</strong> {allowed !== true && <span class="soft">{allowed}</span>}
          </li>
        ))}
      </ul>
      <p>
        <button type="button" class="button" onClick={() => signOut()}>
          Sign out
        </button>
      </p>
    </>
  );
}
