import { useEffect } from 'preact/hooks';
import { fromSegment } from '../../model/segment.js';
import type { Session } from '../answers.js';
import { AuditDiffPage, AuditPage, PastPage, pastOf } from './pages/audit.js';
import { ChangePage, ChangesPage } from './pages/changes.js';
import { ClientPage, ClientsPage } from './pages/clients.js';
import { EvidencePage } from './pages/evidence.js';
import { HealthPage } from './pages/health.js';
import { MapPage } from './pages/map.js';
import { MePage } from './pages/me.js';
import { NowPage } from './pages/now.js';
import { PlanPage } from './pages/plan.js';
import { ProofPage } from './pages/proof.js';
import { ReachPage } from './pages/reach.js';
import { ServicePage, ServicesPage } from './pages/services.js';
import { SignInPage } from './pages/sign-in.js';
import { WaitingPage } from './pages/waiting.js';
import { WaitingItemPage } from './pages/waiting-item.js';
import { WhatIfPage } from './pages/what-if.js';
import { WhyPage } from './pages/why.js';
import { ActDialog } from './parts/acts.js';
import { LiveRegion } from './parts/announce.js';
import { Dialogs } from './parts/dialogs.js';
import { Bars, Header, Places } from './parts/frame.js';
import { Heading } from './parts/heading.js';
import { showInstance } from './parts/instance.js';
import { address } from './router.js';
import { signIn } from './session.js';

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
  const { pathname } = address.value;
  const { name } = session.instance;
  useEffect(() => showInstance(name), [name]);
  return (
    <>
      <a class="skip" href="#content">
        To the content
      </a>
      <Header session={session} />
      <Places path={pathname} />
      <main id="content" class="content">
        <Bars />
        <Page key={pathname} path={pathname} session={session} />
      </main>
      <Dialogs />
      <ActDialog />
    </>
  );
}

/** The page of an address: `/services/NAME`, `/clients/PROVIDER/ID`. */
function Page({ path, session }: { readonly path: string; readonly session: Session }) {
  const [, place = '', first, second, ...more] = path.split('/').map(decoded);
  if (place !== 'audit' && address.value.searchParams.has('at'))
    return (
      <PastPage
        title={[first, second].filter(Boolean).join('/') || place || 'Now'}
        past={pastOf(place, first, second)}
      />
    );
  if (more.length === 0)
    switch (place) {
      case '':
        if (first === undefined) return <NowPage />;
        break;
      case 'why':
        if (first === undefined) return <WhyPage />;
        break;
      case 'plan':
        if (first === undefined) return <PlanPage />;
        break;
      case 'what-if':
        if (first === undefined) return <WhatIfPage />;
        break;
      case 'map':
        if (first === undefined) return <MapPage />;
        break;
      case 'health':
        if (first === undefined) return <HealthPage />;
        break;
      case 'me':
        if (first === undefined) return <MePage session={session} />;
        break;
      case 'reach':
        if (first !== undefined && second === undefined) return <ReachPage name={first} />;
        break;
      case 'services':
        if (first === undefined) return <ServicesPage />;
        if (second === undefined) return <ServicePage name={first} />;
        break;
      case 'clients':
        if (first === undefined) return <ClientsPage />;
        if (second !== undefined) return <ClientPage provider={first} id={second} />;
        break;
      case 'audit':
        if (first === undefined) return <AuditPage />;
        if (first === 'diff' && second === undefined) return <AuditDiffPage />;
        if (first === 'evidence' && second === undefined) return <EvidencePage />;
        if (first === 'proof' && second === undefined) return <ProofPage />;
        break;
      case 'waiting':
        if (first === undefined) return <WaitingPage />;
        if (second === undefined) return <WaitingItemPage id={first} />;
        break;
      case 'changes':
        if (first === undefined) return <ChangesPage />;
        if (second === undefined) return <ChangePage id={first} />;
    }
  return (
    <>
      <Heading title="Not found">There is no such page</Heading>
      <p>
        <a href="/">Now</a> says what is going on.
      </p>
    </>
  );
}

function decoded(part: string): string {
  try {
    return fromSegment(decodeURIComponent(part));
  } catch {
    return part;
  }
}
