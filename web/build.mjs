// Builds the page into a folder, or the tests, which node runs: those in test/unit or, with a browser, test/browser. The same sources give the same bytes
// everywhere: versions are pinned, no path of this machine and no time goes in.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tests = process.argv[2] === "--tests" ? process.argv[3] : "";
const out = tests ? join("node_modules/.tests", tests) : process.argv[2];
if (!out) {
  console.error("usage: node build.mjs FOLDER, or node build.mjs --tests unit");
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
  const names = readdirSync(join(here, "test", tests)).filter((name) => name.endsWith(".test.ts"));
  const entryPoints = names.map((name) => `test/${tests}/${name}`);
  await build({ ...common, entryPoints, platform: "node", external: ["playwright-core"], outExtension: { ".js": ".mjs" } });
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
