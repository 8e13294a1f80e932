import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installed } from './installed.js';
import { freePort } from './ports.js';
import { createRunDirectory, removeRunDirectory, startProcess, until } from './process.js';

export interface RunningPrometheus {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

/**
 * Debian's Prometheus over these targets, by the names of their jobs. It serves `page`, a console template, at `/consoles/page.html`
 * (https://prometheus.io/docs/visualization/consoles/).
 */
export async function startPrometheus(
  targets: Readonly<Record<string, string>>,
  page = '',
): Promise<RunningPrometheus> {
  const directory = await createRunDirectory('prometheus');
  const file = join(directory, 'prometheus.yml');
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: Object.entries(targets).map(([job, target]) => ({
      job_name: job,
      static_configs: [{ targets: [target] }],
    })),
  };
  await writeFile(file, JSON.stringify(config));
  await mkdir(join(directory, 'consoles'));
  await writeFile(join(directory, 'consoles', 'page.html'), page);
  const address = `127.0.0.1:${await freePort()}`;
  const options = {
    'config.file': file,
    'storage.tsdb.path': join(directory, 'data'),
    'web.listen-address': address,
    'web.console.templates': join(directory, 'consoles'),
  };
  const prometheus = await startProcess({
    name: 'prometheus',
    command: await installed('prometheus'),
    args: Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    logFile: join(directory, 'prometheus.log'),
  });
  const ready = async () => (await fetch(`http://${address}/-/ready`)).ok;
  await until('Prometheus is ready', ready, { process: prometheus });
  return {
    address: `http://${address}`,
    async stop() {
      await prometheus.kill();
      await removeRunDirectory(directory);
    },
  };
}
