// Loaded into a process before its program: its wall clock runs by as many milliseconds beside the true one as the file
// CLOCK_STEP_FILE says, from each SIGUSR2 on. Timers and performance.now() are not touched, as when an administrator or
// NTP steps the clock of a machine.
import { readFileSync, writeFileSync } from 'node:fs';

const TrueDate = Date;
let stepMs = 0;

class SteppedDate extends TrueDate {
  constructor(...parts) {
    if (parts.length === 0) super(TrueDate.now() + stepMs);
    else super(...parts);
  }
  static now() {
    return TrueDate.now() + stepMs;
  }
}
globalThis.Date = SteppedDate;

process.on('SIGUSR2', () => {
  const file = process.env.CLOCK_STEP_FILE ?? '';
  const text = readFileSync(file, 'utf8');
  stepMs = Number(text);
  writeFileSync(`${file}.done`, text);
});
