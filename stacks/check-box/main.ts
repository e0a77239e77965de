import { checkBox } from './check-box.ts';

const { SPOQ_BOX_URL: url, SPOQ_BOX_ADDRESS: address, PROVISION_POLL_MS, PROVISION_DEADLINE_SECONDS } = process.env;
if (!url || !address) {
  process.stderr.write('SPOQ_BOX_URL and SPOQ_BOX_ADDRESS must be set\n');
  process.exit(2);
}
try {
  await checkBox({
    url,
    address,
    pollMs: Number(PROVISION_POLL_MS || 5_000),
    deadlineMs: Number(PROVISION_DEADLINE_SECONDS || 1_800) * 1000,
    say: (line) => process.stdout.write(`${line}\n`),
  });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
