import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/picture.css";
import "./style/panels.css";
import { render } from "preact";
import { App } from "./app";
import { Model, ModelProvider } from "./model";
import { applyTheme } from "./theme";

// The token has become a cookie with the first answer. It need not stand where screenshots and shoulders can read it.
const here = new URL(location.href);
if (here.searchParams.has("token")) {
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}

const model = new Model();
applyTheme(model.preferences.theme);
render(
  <ModelProvider value={model}>
    <App />
  </ModelProvider>,
  document.getElementById("app")!,
);
model.start();
