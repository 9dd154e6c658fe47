// A dialog that lists the folders and images below the root of the server.
import { element } from "../src/dom";
import { call } from "./server";

interface Listing {
  folders: string[];
  images: string[];
}

const join = (folder: string, name: string) => (folder ? `${folder}/${name}` : name);

/** Let the user choose an image, or a folder; null if the dialog is closed. */
export function chooseFromRoot(kind: "image" | "folder"): Promise<string | null> {
  return new Promise((resolve) => {
    const title = element("h2", {});
    const list = element("div", { class: "list" });
    const problem = element("p", { class: "problem", role: "alert" });
    const close = element("button", { type: "button" }, "Close");
    const dialog = element("dialog", { "aria-label": `Choose ${kind} on the server` }, close, title, list, problem);
    const finish = (chosen: string | null) => {
      dialog.remove();
      resolve(chosen);
    };
    const open = async (folder: string) => {
      try {
        const { folders, images } = await call<Listing>(`folders?path=${encodeURIComponent(folder)}`);
        title.textContent = folder || "Folder of the server";
        const rows = folders.map((name) => row(`${name}/`, () => open(join(folder, name))));
        if (folder) rows.unshift(row("../", () => open(folder.split("/").slice(0, -1).join("/"))));
        if (kind === "folder") rows.unshift(row(`Use this folder (${images.length} images)`, () => finish(folder || ".")));
        else rows.push(...images.map((name) => row(name, () => finish(join(folder, name)))));
        list.replaceChildren(...(rows.length ? rows : [element("p", {}, "empty")]));
      } catch (error) {
        problem.textContent = (error as Error).message;
      }
    };
    close.onclick = () => finish(null);
    dialog.oncancel = () => finish(null);
    document.body.append(dialog);
    dialog.showModal();
    void open("");
  });
}

function row(text: string, onClick: () => void): HTMLButtonElement {
  const button = element("button", { type: "button" }, text);
  button.onclick = onClick;
  return button;
}
