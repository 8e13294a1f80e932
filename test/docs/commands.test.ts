import { execSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configJsonSchema } from '../../config/json-schema.js';
import { COMMANDS, helpOf } from '../../docs/command-help.js';
import { configurationKeys } from '../../docs/configuration-keys.js';
import { TOPIC_PARTITIONS } from '../../src/app/adapter-factory.js';
import { openSigningKey } from '../../src/decisions/signing-key.js';
import { silentLogger } from '../../src/observe.js';
import { blocks, codesInProse, filesIn, PAGES, ROOT, textOf } from './manual.js';

const SHELLS = ['sh', 'bash', 'console'];
/** The lines of a page for a shell, each with what continues it, and the commands in its prose. */
const linesOf = (page: string) => [
  ...SHELLS.flatMap((language) => blocks(textOf(page), language)).flatMap((block) =>
    block.replaceAll(/\\\n\s*/g, '').split('\n'),
  ),
  // A log line may name scopemesh too, but not first.
  ...codesInProse(page).map((code) =>
    /^(exec |scopemesh )/.test(code) ? code : code.replaceAll('scopemesh ', ''),
  ),
];

/** What follows `scopemesh` in a line, where it is a command of a shell, as words; quoted text is one word. */
function callsIn(line: string): string[][] {
  const begins =
    /(?:^(?:\$ )?|[|;&(]\s*|(?<!docker )\b(?:exec|until|while|if|then)\s+|-r\s+|main\.js\s+)(?:scopemesh\s+|(?<=main\.js\s+))/g;
  return [...line.matchAll(begins)].map(({ index, 0: { length } }) => {
    const [call = ''] = /^(?:'[^']*'|"[^"]*"|[^|;&()#<>]|<[\w-]+>)*/.exec(line.slice(index + length)) ?? [];
    return call.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? [];
  });
}

const CALLS = PAGES.flatMap((page) =>
  linesOf(page).flatMap((line) =>
    callsIn(line.trim()).map((words) => ({ page, words, call: words.join(' ') })),
  ),
).filter(({ words: [first] }) => first !== undefined && /^(-|[a-z])/.test(first));

const optionsIn = (help: string) =>
  [...help.matchAll(/(?<=[ ,[])--?[a-zA-Z][\w-]*/g)].map(([option]) => option);

/** The command that the words begin with, by the longest of its names, and what follows it. */
function commandOf(words: readonly string[]): { readonly command: string; readonly rest: readonly string[] } {
  const own: string[] = [];
  const rest = [...words];
  // Options of the program itself, each with a value.
  while (/^(-c|--config|--log-level)$/.test(rest[0] ?? '')) own.push(...rest.splice(0, 2));
  const two = rest.slice(0, 2).join(' ');
  const command = COMMANDS.includes(two) ? two : (rest[0] ?? '');
  return { command, rest: [...own, ...rest.slice(command.split(' ').length)] };
}

describe('the commands in the manual', () => {
  it('are many', () => {
    expect(CALLS.length).toBeGreaterThan(150);
    for (const page of ['adopt-existing-objects', 'troubleshoot', 'leave-scopemesh', 'run-as-a-service'])
      expect(CALLS.map((call) => call.page)).toContain(`docs/how-to/${page}.md`);
  });

  it.each(CALLS)('$page: scopemesh $call', async ({ words }) => {
    const { command, rest } = commandOf(words);
    const options = rest
      .filter((word) => word.startsWith('-') && word !== '-')
      .map((word) => word.split('=')[0]);
    if (command === '' || command.startsWith('-')) {
      expect([...optionsIn(await helpOf('')), '-V']).toEqual(expect.arrayContaining(options));
      return;
    }
    expect(COMMANDS).toContain(command);
    // A command with others below it hands its options on to its default.
    const helps = COMMANDS.filter((each) => each === command || each.startsWith(`${command} `));
    const known = (await Promise.all(['', ...helps].map(helpOf))).flatMap(optionsIn);
    for (const option of options) expect(known).toContain(option);
  });
});

describe('what the manual names', () => {
  it.each(PAGES)('in %s are files of the repository, and scripts of the package', (page) => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(textOf('package.json')));
    for (const line of linesOf(page)) {
      // A page about new files has names for them.
      for (const [, file = ''] of line.matchAll(
        /(?:^|[\s@`'"])((?:deploy|test|docs|src|workers|examples)\/[\w./-]*\w)/g,
      ))
        expect(existsSync(ROOT + file) || /NAME|acme/.test(file), `${page}: ${file}`).toBe(true);
      for (const [, name = ''] of line.matchAll(/\bnpm run ([\w:-]+)/g))
        expect(Object.keys(scripts)).toContain(name);
    }
  });

  const keys = configurationKeys(configJsonSchema()).map(({ path }) => path.replaceAll('[]', ''));
  const roots = new Set(keys.map((path) => path.split('.')[0] ?? ''));
  const sources = ['src', 'workers', 'config']
    .flatMap((folder) => filesIn(folder, '.ts'))
    .map(textOf)
    .join('\n');
  /** `guards.approvers`, `services.claims: first` and the like, where they are keys and not findings of doctor or files. */
  const named = PAGES.flatMap((page) =>
    codesInProse(page).flatMap((code) => {
      const [, path = ''] = /^([a-z]\w*(?:\[?\]?\.\w+)+)(?::? .*)?$/.exec(code) ?? [];
      const key = path.replaceAll('[]', '').replace(/^actors\.(human|workload|agent)\./, 'actors.<kind>.');
      const isOther = !roots.has(key.split('.')[0] ?? '') || /\.(db|md|yaml|json|jsonl|html|test)$/.test(key);
      return isOther || sources.includes(`'${path}'`) ? [] : [{ page, key }];
    }),
  );

  it('as keys of the configuration are many', () => {
    expect(named.length).toBeGreaterThan(60);
  });

  it.each(named)('in $page as $key is a key of the configuration', ({ key }) => {
    expect(keys.some((each) => each === key || each.startsWith(`${key}.`))).toBe(true);
  });
});

it('each line of close-an-edge-or-a-client.md gives its reason or its name, and the kill switches are all there', () => {
  const lines = blocks(textOf('docs/how-to/close-an-edge-or-a-client.md'), 'sh').flatMap((block) =>
    block.trim().split('\n'),
  );
  const verbs = lines.map((line) => line.split(' ')[1]);
  expect(new Set(verbs)).toEqual(new Set(['quarantine', 'approve', 'deny']));
  for (const line of lines) if (!line.includes(' approve ')) expect(line).toMatch(/ --reason \S/);
});

it('each how-to page with lines for a shell is in a test that runs or checks them', () => {
  const tests = filesIn('test', '.ts').map(textOf).join('\n');
  const pages = PAGES.filter((page) => page.startsWith('docs/how-to/'));
  const withLines = pages.filter((page) =>
    SHELLS.some((language) => blocks(textOf(page), language).length > 0),
  );
  expect(withLines.length).toBeGreaterThan(25);
  for (const page of withLines)
    expect(tests).toMatch(new RegExp(`['/]${page.slice('docs/how-to/'.length)}'`));
});

describe('the topic that publish-to-kafka.md makes', () => {
  const page = 'docs/how-to/publish-to-kafka.md';
  const [decisions] = blocks(textOf(page), 'yaml').map((block) => parse(block).decisions);
  const topics = blocks(textOf(page), 'sh').map((line) => {
    const options = [...line.matchAll(/--([a-z-]+)(?: ([^\s-]\S*))?/g)];
    const argumentOf = (option: string) => options.find(([, name]) => name === option)?.[2];
    return {
      topic: argumentOf('topic'),
      partitions: argumentOf('partitions'),
      policy: /cleanup\.policy=(\w+)/.exec(line)?.[1],
    };
  });

  it('is the one of its configuration, as scopemesh would make it', () => {
    const partitions = String(TOPIC_PARTITIONS);
    expect(topics).toEqual([{ topic: decisions.topic, partitions, policy: 'delete' }]);
  });
});

it('the line of run-replicas.md makes a key that signs decisions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-key-line-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [line = ''] = blocks(textOf('docs/how-to/run-replicas.md'), 'sh');
  execSync(line, { cwd: directory });
  const file = join(directory, 'trail-key.pem');
  expect(openSigningKey({ owner: 'payments', directory, file, logger: silentLogger }).name).toBe(
    'scopemesh/payments',
  );
});

it('start-a-new-service.md installs the script of sidecars where its unit starts it', () => {
  const page = textOf('docs/how-to/start-a-new-service.md');
  const install = blocks(page, 'sh').join('\n');
  const [, target = ''] = /^sudo install -m 0755 deploy\/sidecar-login\.sh (\S+)$/m.exec(install) ?? [];
  expect(target).toBe('/usr/local/bin/sidecar-login.sh');
  expect(blocks(page, 'ini')[0]).toContain(`ExecStart=${target} `);
});

describe('what run-as-a-service.md says about systemd and containers', () => {
  const page = textOf('docs/how-to/run-as-a-service.md');
  const [, check = '', container = ''] = blocks(page, 'sh');
  const install = blocks(textOf('docs/install.md'), 'sh').find((block) => block.includes('useradd')) ?? '';
  const [, folder = ''] = / -C (\S+)$/m.exec(install) ?? [];
  const unit = textOf('deploy/scopemesh.service');
  const image = textOf('Dockerfile');
  const [start = ''] = codesInProse('docs/how-to/run-as-a-service.md').filter((code) =>
    code.startsWith('exec node '),
  );

  it('is what the unit has', () => {
    const command = start.replace('exec ', '').replace('dist/', `${folder}/dist/`);
    expect(unit).toContain(
      `ExecStart=/usr/bin/env ${command.replace('FILE', '/etc/scopemesh/scopemesh.yaml')}\n`,
    );
    expect(install).toContain(`${folder}/deploy/scopemesh.service /etc/systemd/system/`);
    expect(unit).toMatch(/^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
    expect(unit).toMatch(/^EnvironmentFile=-\/etc\/scopemesh\/environment$/m);
    expect(unit).toMatch(/^StateDirectory=scopemesh$/m);
    for (const setting of ['Type=notify', 'NotifyAccess=all']) {
      expect(page).toContain(`\`${setting}\``);
      expect(unit).toMatch(new RegExp(`^${setting}$`, 'm'));
    }
    for (const name of ['WatchdogSec', 'TimeoutStopSec']) expect(unit).toMatch(new RegExp(`^${name}=`, 'm'));
    expect(page).toContain(`${/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]} s (\`TimeoutStopSec\``);
  });

  it('is what the command beside the unit has', () => {
    const wrapper = textOf('deploy/scopemesh');
    const [, user = ''] = /^User=(\S+)$/m.exec(unit) ?? [];
    expect(install).toContain(`install -m 0755 ${folder}/deploy/scopemesh /usr/local/bin/scopemesh`);
    expect(install).toMatch(new RegExp(`useradd --system .* ${user}$`, 'm'));
    expect(wrapper).toContain(`\${SCOPEMESH_USER:-${user}}`);
    expect(wrapper).toContain(`\${SCOPEMESH_HOME:-${folder}}/dist/workers/main.js`);
    for (const path of ['ENVIRONMENT:-/etc/scopemesh/environment', 'CONFIG:-/etc/scopemesh/scopemesh.yaml'])
      expect(wrapper).toContain(`\${SCOPEMESH_${path}}`);
    expect(check.trim()).toBe('sudo scopemesh doctor');
  });

  it('is what the image has', () => {
    expect(container).toContain('--read-only');
    const paths = [...container.matchAll(/:(\/[\w./-]+?)(?::ro)?(?=\s)/g)].map(([, path = '']) => path);
    expect(paths).toEqual(['/etc/scopemesh/scopemesh.yaml', '/var/lib/scopemesh']);
    for (const path of paths) expect(image).toContain(path);
    expect(image).toContain('EXPOSE 8080');
    const options = start.match(/--\S+/g) ?? [];
    expect(options.length).toBeGreaterThan(1);
    for (const option of options) expect(image).toContain(`"${option}"`);
    // Commands in the container are started in this folder.
    const inContainer = blocks(textOf('docs/how-to/approve-or-reject-a-held-change.md'), 'sh').at(-1) ?? '';
    expect(inContainer).toContain(
      'docker exec scopemesh node dist/workers/main.js -c /etc/scopemesh/scopemesh.yaml',
    );
    expect(image).toMatch(/^WORKDIR \/app$/m);
    expect(image).toContain('"/app/dist/workers/main.js"');
  });
});
