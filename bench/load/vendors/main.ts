import { createQuickVendors } from '../quick-vendors.ts';

const { VENDORS_PORT: port } = process.env;
if (!port) {
  process.stderr.write('VENDORS_PORT must be set\n');
  process.exit(2);
}
createQuickVendors().listen(Number(port), '127.0.0.1');
