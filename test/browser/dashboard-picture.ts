import { setTimeout as delay } from 'node:timers/promises';
import { openPanels } from '../deploy/dashboard.js';
import { startPrometheus } from '../stack/prometheus.js';
import type { OpenConsole } from './open-console.js';

const SECONDS = 180;

/** The dashboard's open row over the demo at work for three minutes, drawn by Prometheus's own library of graphs. */
export async function drawDashboard({ demo, browser }: OpenConsole, png: string): Promise<void> {
  const prometheus = await startPrometheus({ scopemesh: new URL(demo.scopemesh).host }, page());
  const sheet = await browser.newPage({ viewport: { width: 1440, height: 620 } });
  try {
    const end = Date.now() + SECONDS * 1000;
    for (let turn = 0; Date.now() < end; turn += 1) {
      const headers = { authorization: `Bearer ${demo.idpManagementToken}` };
      const method = turn % 2 === 0 ? 'POST' : 'DELETE';
      await fetch(`${demo.idp}/clients/web-app/scopes/shipping:connect`, { method, headers });
      await delay(2_000 + 1_000 * (turn % 5));
    }
    await sheet.goto(`${prometheus.address}/consoles/page.html`);
    await sheet
      .locator('svg')
      .nth(openPanels().length - 1)
      .waitFor();
    await sheet.screenshot({ path: png });
  } finally {
    await sheet.close();
    await prometheus.stop();
  }
}

function page(): string {
  const panels = openPanels().map(({ title, targets }) => ({
    title,
    expr: targets.map(({ expr }) => expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '20s')),
    // Grafana's {{label}} is Prometheus's [[ label ]].
    name: targets.map(({ legendFormat }) => legendFormat.replaceAll('{{', '[[ ').replaceAll('}}', ' ]]')),
  }));
  const from = '/classic/static';
  return `<!doctype html><meta charset="utf-8"><title>scopemesh</title>
<link rel="stylesheet" href="${from}/rickshaw/rickshaw.min.css">
<link rel="stylesheet" href="${from}/css/prom_console.css">
<style>
body { margin: 12px; padding: 0; font: 13px sans-serif; color: #222 }
main { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px }
section { border: 1px solid #ddd; border-radius: 4px; padding: 8px; height: 276px; overflow: hidden }
h2 { font-size: 14px; margin: 0 0 6px }
.prom_graph_ytitle, .prom_graph_xtitle, .prom_graph_link { display: none }
.rickshaw_legend { background: none !important; color: #222 !important; padding: 4px 0 0 !important; box-shadow: none !important }
.rickshaw_legend li { float: left; margin-right: 12px }
</style>
<script src="${from}/jquery/jquery.min.js"></script>
<script src="${from}/d3/d3.min.js"></script>
<script src="${from}/rickshaw/rickshaw.min.js"></script>
<script>var PATH_PREFIX = '';</script>
<script src="${from}/js/prom_console.js"></script>
<main></main>
<script>
const panels = JSON.parse(${JSON.stringify(JSON.stringify(panels)).replaceAll('{{', '{ {')});
for (const { title, expr, name } of panels) {
  const section = document.querySelector('main').appendChild(document.createElement('section'));
  section.appendChild(document.createElement('h2')).textContent = title;
  const node = section.appendChild(document.createElement('div'));
  new PromConsole.Graph({ node, expr, name, width: 310, height: 170, min: 0, duration: ${SECONDS} });
}
</script>`;
}
