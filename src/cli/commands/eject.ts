import { accessText } from '../../app/access-text.js';
import { aclChangeView, changeView } from '../../app/plan-view.js';
import { configError, messageOf } from '../../errors.js';
import {
  ejectAcl,
  ejectEntry,
  ejectJwtProvider,
  forgetWritten,
  type Marks,
  readMarks,
  refuseOpenBreakGlass,
  refuseOpenDenies,
  writtenSubjects,
} from '../../operator/eject.js';
import { policyOf } from '../../plan/mode.js';
import type { Cli } from '../cli.js';
import { defineCommand } from '../command.js';
import { type OneShot, withOneShot } from '../one-shot.js';
import { type Answers, agrees, YES } from '../terminal/confirm.js';
import { aclKindText } from '../terminal/plan-text.js';
import { columns, printable } from '../terminal/screen.js';

export const eject = defineCommand({
  name: 'eject',
  summary: 'remove every mark from Consul and leave access as it is',
  description:
    'Lists every intention source, ACL object and jwt-provider with the mark of this owner, asks, and removes the ' +
    'marks. Access stays as it is, and nothing closes it any more. Ignores select. Names of ACL objects stay, ' +
    'because logins use them.',
  takes: { yes: YES },
  json: 'print one JSON document; needs --yes if there is something to write',
  exit: '0; 1 on error, if marks are left, or if you answer no.',
  examples: [
    'scopemesh eject',
    'scopemesh eject --yes --json',
    'consul kv delete -recurse scopemesh/payments/     # afterwards: what the owner payments has in the KV',
  ],
  run: (given, cli) =>
    withOneShot(
      cli,
      'the daemon is running and holds the state directory; stop it for good before scopemesh eject, because it would own new edges',
      (shot) => ejectAll(shot, given, cli),
      (provider, error) => cli.screen.warn(`scopemesh: ${provider}: ${error.message}`),
    ),
});

type Subjects = readonly { readonly subject: string }[];

async function ejectAll({ deps, cause, publish }: OneShot, given: Answers, cli: Cli): Promise<void> {
  const { mapping } = deps.world;
  if (!policyOf(mapping).writes)
    throw configError('nothing is written in mode observe; set mode: extend for scopemesh eject');
  const marks = await readMarks(deps, cli.signal);
  refuseOpenBreakGlass(marks, deps);
  refuseOpenDenies(marks, deps);
  const removable = marks.intentions.filter(({ why }) => why === undefined);
  const removableAcl = marks.acl.filter(({ why }) => why === undefined).map(({ change }) => change);
  const removableJwt = marks.jwtProviders.flatMap(({ change }) => change ?? []);
  const count = removable.reduce(
    (sum, { changes }) => sum + changes.length,
    removableAcl.length + removableJwt.length,
  );
  if (!given.json) show(marks, cli);
  const written = await writtenSubjects(deps);
  const question =
    count > 0
      ? `Remove these ${count} marks? Nothing closes this access then.`
      : written.some((subject) => marks.unmarked.has(subject))
        ? 'Forget what was written here and has no mark now?'
        : undefined;
  if (count === 0 && written.length > 0)
    cli.screen.warn(
      `Consul has no marks. Objects recorded as written: ${written.length}; check consul.address and the tenancy.`,
    );
  if (question !== undefined && !(await agrees(cli, given, question, 'Nothing was changed.'))) return;
  let removed = 0;
  const errors = [
    ...marks.intentions.map(({ entry, why }) => ({ what: entry.destination.name, why })),
    ...marks.acl.map(({ change, why }) => ({ what: change.resource.name, why })),
    ...marks.jwtProviders.map(({ name, why }) => ({ what: name, why })),
  ].flatMap(({ what, why }) => (why === undefined ? [] : [`${what}: ${why}`]));
  const gone = new Set(marks.unmarked);
  const attempt = async (what: string, of: Subjects, work: () => Promise<number>) => {
    try {
      removed += await work();
      for (const { subject } of of) gone.add(subject);
    } catch (error) {
      if (cli.signal.aborted) throw error;
      errors.push(`${what}: ${messageOf(error)}`);
    }
  };
  for (const { entry, changes } of removable)
    await attempt(entry.destination.name, changes, () =>
      ejectEntry(entry.destination, cause, deps, cli.signal),
    );
  for (const change of removableAcl)
    await attempt(change.resource.name ?? '', [change], () => ejectAcl(change, cause, deps, cli.signal));
  for (const change of removableJwt)
    await attempt(change.name, [change], () => ejectJwtProvider(change, cause, deps, cli.signal));
  await forgetWritten(deps, gone);
  await publish().catch((error: unknown) =>
    errors.push(`the decisions are stored but not published yet: ${messageOf(error)}`),
  );
  if (given.json) {
    const changes = [
      ...removable.flatMap((each) => each.changes.map(changeView)),
      ...removableAcl.map(aclChangeView),
      ...removableJwt.map(({ name }) => ({ resource: { kind: 'jwt-provider', name } })),
    ];
    cli.screen.json({ changes, summary: { removed, of: count }, errors });
  } else {
    if (count > 0) cli.screen.line(`Marks removed: ${removed} of ${count}.`);
    if (errors.length === 0)
      cli.screen.line(
        `To remove the rest from the KV: consul kv delete -recurse scopemesh/${mapping.owner}/`,
      );
  }
  for (const error of errors) cli.screen.warn(`scopemesh: ${error}`);
  if (errors.length > 0) cli.exit(1);
}

function show({ intentions, acl, jwtProviders }: Marks, { screen }: Cli): void {
  if (intentions.length + acl.length + jwtProviders.length === 0)
    screen.line('No marks of this owner in Consul.');
  const left = (why: string | undefined) => (why === undefined ? [] : ['stays marked']);
  const rows = intentions.flatMap(({ changes, why }) =>
    changes.map((change) => [
      printable(`${change.source.name} -> ${change.resource.destination}`),
      why === undefined ? accessText(change.before) : 'stays marked',
    ]),
  );
  const others = [
    ...acl.map(({ change: { resource }, why }) => [
      printable(resource.name ?? ''),
      aclKindText(resource.kind),
      ...left(why),
    ]),
    ...jwtProviders.map(({ name, why }) => [printable(name), 'jwt-provider', ...left(why)]),
  ];
  for (const row of [...columns(rows), ...columns(others)])
    screen.line(`  ${screen.colors.yellow('~')} ${row}`);
}
