import { main } from '@pulumi/pulumi/provider/index.js';
import { loadVendors } from './config.ts';
import { createProvider } from './provider.ts';
import { createLineReport, createReport } from './report.ts';

// Who started this plugin holds this pipe open as long as it lives. A plugin whose engine was killed must not go on buying machines.
process.stdin
  .on('end', () => process.exit(1))
  .on('error', () => process.exit(1))
  .resume();

const args = process.argv.slice(2);
const engineAddress = args.find((arg) => !arg.startsWith('-')) ?? '';
const report = process.env['SPOQ_PLUGIN_REPORTS'] === 'stdout' ? createLineReport() : createReport(engineAddress);
const provider = createProvider({ ...loadVendors(process.env), report, version: '0.1.0' });
await main(provider, args);
