import { useEffect } from 'preact/hooks';
import { MePage } from './pages/me.js';
import { SignInPage } from './pages/sign-in.js';
import { LiveRegion } from './parts/announce.js';
import { Name } from './parts/name.js';
import { address } from './router.js';
import { type Session, signIn } from './session.js';

export function App() {
  const state = signIn.value;
  return (
    <>
      {state.kind === 'in' && <Frame session={state.session} />}
      {state.kind === 'out' && <SignInPage why={state.why} />}
      <LiveRegion />
    </>
  );
}

function Frame({ session }: { readonly session: Session }) {
  const { instance, person } = session;
  useEffect(() => {
    document.title = `scopemesh ${instance.name}`;
  }, [instance.name]);
  return (
    <>
      <header class="bar">
        <a class="brand" href="/">
          <span class="mark" aria-hidden="true" /> scopemesh
        </a>
        <span class="badge">
          <Name text={instance.name} /> {instance.mode}
        </span>
        <a class="who" href="/me">
          <Name text={person.name} />
        </a>
      </header>
      <main class="content" key={address.value.pathname}>
        <MePage session={session} />
      </main>
    </>
  );
}
