import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dashboard } from './dashboard.js';

writeFileSync(
  fileURLToPath(new URL('../../deploy/grafana/scopemesh.json', import.meta.url)),
  `${JSON.stringify(dashboard(), null, 1)}\n`,
);
