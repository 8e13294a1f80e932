import { type CommandLine, createCommandLine } from './command-line.js';
import { type Mesh, startMesh } from './mesh.js';

const clientOf = (clientId: string, service: string) => ({
  clientId,
  scopes: ['orders:connect'],
  attributes: { 'consul-services': service },
});
export const web = clientOf('web-app', 'web');
export const bot = clientOf('bot', 'bot');

/** No inferred removal passes. */
export const guards = { maxRevocations: { percent: 0, atLeast: 0 } };

export interface Event {
  readonly id: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>> & { readonly reason: string; readonly outcome: string };
}

export interface HeldRemovals {
  readonly mesh: Mesh;
  readonly cli: CommandLine;
  /** All that `decisions list` prints, oldest first. */
  decisions(): Promise<readonly Event[]>;
  /** The ID of the last decision that held the removal of this source. */
  heldId(source: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** An embedded Consul in which `web` and `bot` may call `orders`, and commands that hold each inferred removal. */
export async function startHeldRemovals(): Promise<HeldRemovals> {
  const mesh = await startMesh();
  const cli = createCommandLine(mesh);
  cli.configure({ guards });
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('bot', { client: 'bot' });
  cli.idp(web, bot);
  await cli.run(['apply', '--yes']);
  const decisions = async () => {
    const { out } = await cli.run(['decisions', 'list', '--json']);
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event);
  };
  return {
    mesh,
    cli,
    decisions,
    heldId: async (source) =>
      (await decisions()).findLast(
        ({ subject, data }) =>
          data.reason === 'RevocationLimit' && data.outcome === 'held' && subject.endsWith(`/${source}`),
      )?.id,
    async close() {
      cli.close();
      await mesh.consul.close();
    },
  };
}

interface HeldRemoval {
  readonly reason: string;
  readonly decisionId: string | null;
  readonly rejectedBy: string | null;
}

/** The removals that a plan or a daemon holds. */
export function held({ json }: { json(): Record<string, unknown> }): readonly HeldRemoval[] {
  return (json().holds as HeldRemoval[]).filter(({ reason }) => reason === 'RevocationLimit');
}
