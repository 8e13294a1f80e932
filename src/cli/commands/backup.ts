import { argument, defineCommand } from '../command.js';

export const backup = defineCommand({
  name: 'backup',
  summary: 'copy the state, also while the daemon runs',
  description:
    'Copies the databases of state.directory, each as of one instant, and the key that signs the decision log into a ' +
    'directory that does not exist yet, for its owner alone. Needs no secret of the file. It does not copy what is in ' +
    'Redis or Kafka.',
  takes: { directory: argument('where the copy is made') },
  json: 'print one JSON document: directory and files',
  exit: '0; 1 if no backup was made.',
  examples: ['scopemesh backup /var/backups/scopemesh/2026-01-31'],
  async ask({ directory }, cli) {
    const { state } = await cli.openLogSettings();
    const { copyState } = await cli.context.adapters();
    return { directory, files: await copyState(state.directory, directory) };
  },
  print: ({ directory, files }, { screen }) => screen.text(`copied ${files.join(', ')} to ${directory}`),
});
