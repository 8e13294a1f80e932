import { render } from 'preact';
import { App } from './app.js';
import { startRouter } from './router.js';
import { startSession } from './session.js';

const place = document.getElementById('page');
if (place !== null) {
  startRouter();
  render(<App />, place);
  await startSession();
}
