import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Config } from '../../config/config.js';
import { effectiveConfig } from '../../config/live-settings.js';
import { loadMapping } from '../../config/load.js';
import { onlyApiOf } from '../../config/mapping-revision.js';
import { findClientId } from '../app/client-id.js';
import { planDocument } from '../app/plan-view.js';
import { grantNamed, withGrant } from '../app/what-if.js';
import { configError } from '../errors.js';
import type { OAuthClient } from '../model/client.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';
import type { WorldState } from '../state/world-state.js';
import type { Cli } from './cli.js';

/** One assumption of `plan --what-if`. */
export type Assumption =
  | { readonly kind: 'file'; readonly text: string; readonly path: string }
  | {
      readonly kind: 'client';
      readonly text: string;
      readonly client: string;
      readonly scopes: readonly { readonly isGranted: boolean; readonly scope: string }[];
    };

/** What a plan assumes, and how many of its changes are pending without that. */
export interface WhatIf {
  readonly assumptions: readonly string[];
  readonly alreadyPending: number;
}

const SHAPE =
  'write client=CLIENT-ID,+scope=NAME or client=CLIENT-ID,-scope=NAME (several, separated by commas), or file=FILE.';

/** Adds the assumption of one `--what-if` to those before it. Throws InvalidArgumentError. */
export function parseAssumption(text: string, before: readonly Assumption[]): readonly Assumption[] {
  const file = /^file=(.+)$/s.exec(text)?.[1];
  if (file !== undefined) {
    if (before.some(({ kind }) => kind === 'file'))
      throw new InvalidArgumentError('give only one file=FILE.');
    return [...before, { kind: 'file', text, path: file }];
  }
  // A client ID or a scope may contain commas.
  const [head = '', ...parts] = text.split(/,(?=[+-]scope=)/);
  const client = /^client=(.+)$/s.exec(head)?.[1];
  const scopes = parts.map((part) => ({
    isGranted: part.startsWith('+'),
    scope: part.slice('+scope='.length),
  }));
  if (client === undefined || scopes.length === 0 || scopes.some(({ scope }) => scope === ''))
    throw new InvalidArgumentError(SHAPE);
  return [...before, { kind: 'client', text, client, scopes }];
}

/** The configuration of `file=FILE`, in the place of the running one as a reload would take it; undefined without a file. */
export async function readNextConfig(
  assumptions: readonly Assumption[],
  cli: Cli,
): Promise<((running: Config) => Config) | undefined> {
  const [path] = assumptions.flatMap((each) => (each.kind === 'file' ? [each.path] : []));
  if (path === undefined) return undefined;
  const options = cli.loadOptions();
  // The file may be a proposal of somebody else. References in it could put secrets of this process into the output.
  const readFile = (file: string) =>
    file === resolve(path) ? options.readFile(file) : Promise.reject(new Error('not read for --what-if'));
  const next = await loadMapping({ path, environment: {}, readFile });
  return (running) => {
    if (next.owner !== running.owner)
      throw configError(
        `${path} has another owner, so nothing that this instance wrote would count as its own; write owner: ${running.owner} there`,
      );
    const names = ({ providers }: Config) => providers.map(({ name }) => name).join(', ');
    if (names(next) !== names(running))
      throw configError(`${path} has other providers than the present file; use scopemesh plan -c ${path}`);
    return effectiveConfig(running, next);
  };
}

/** Gives clients the scopes that the assumptions name, and takes them. Throws ERR_CONFIG for what changes nothing. */
export function assumeScopes(
  assumptions: readonly Assumption[],
  world: WorldState,
  { providers }: Pick<Config, 'providers'>,
): void {
  for (const each of assumptions) {
    if (each.kind === 'file') continue;
    const id = findClientId(world, each.client);
    const client = world.client(id);
    if (client === undefined) continue;
    const api = onlyApiOf(providers.find(({ name }) => name === id.provider));
    const after = each.scopes.reduce(
      (sum: OAuthClient, { isGranted, scope }) => withGrant(sum, grantNamed(scope, api), isGranted),
      client,
    );
    world.putClient(id, after, world.beginRead());
  }
}

/** How many changes of `after` are in `before` too. */
export function countAlreadyPending(before: FleetPlan, after: FleetPlan, world: WorldState): number {
  const texts = ({ changes }: ReturnType<typeof planDocument>) =>
    changes.map(({ subject, verb, ...change }) =>
      JSON.stringify([subject, verb, 'after' in change ? change.after : null]),
    );
  const known = new Set(texts(planDocument(before, world.mapping)));
  return texts(planDocument(after, world.mapping)).filter((text) => known.has(text)).length;
}
