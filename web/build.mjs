// Builds the page into a folder, or with --tests the unit tests, which node runs. The same sources give the same bytes
// everywhere: versions are pinned, no path of this machine and no time goes in.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tests = process.argv[2] === "--tests";
const out = process.argv[tests ? 3 : 2];
if (!out) {
  console.error("usage: node build.mjs [--tests] FOLDER");
  process.exit(2);
}
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const common = {
  absWorkingDir: here,
  outdir: join(process.cwd(), out),
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  logLevel: "warning",
};

if (tests) {
  const units = readdirSync(join(here, "test/unit")).filter((name) => name.endsWith(".test.ts"));
  await build({ ...common, entryPoints: units.map((name) => "test/unit/" + name), platform: "node", outExtension: { ".js": ".mjs" } });
} else {
  await build({ ...common, entryPoints: { app: "src/main.tsx" }, minify: true, legalComments: "none" });
  for (const name of ["index.html", "icon.svg"]) copyFileSync(join(here, "src", name), join(out, name));
  writeFileSync(join(out, "LICENSES.txt"), licences());
}

// licences are those of all that is bundled: what package.json lists as dependencies.
function licences() {
  const wanted = JSON.parse(readFileSync(join(here, "package.json"), "utf8")).dependencies;
  const texts = Object.keys(wanted).sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${about.version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
  });
  return "app.js and app.css hold, beside what belongs to drp:\n\n" + texts.join("\n----\n\n");
}
