"use strict";
// Fill in the pictures of a page, and open the viewer of a pair on click.
{
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const pictures = read("pictures");
  for (const image of document.querySelectorAll("img[data-picture]")) {
    image.src = pictures[image.dataset.picture];
  }

  const dialog = document.getElementById("pair-dialog");
  const host = dialog.querySelector("div");
  let viewer = null;

  const open = async (number) => {
    const data = read(`pair-${number}`);
    for (const image of data.images) image.src = pictures[image.src];
    dialog.showModal();
    viewer = await TiepointViewer.mount(host, data);
    viewer.focus();
    window.viewer = viewer;
  };
  for (const button of document.querySelectorAll("button.pair")) {
    button.addEventListener("click", () => open(button.dataset.pair));
  }
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => viewer?.destroy());
}
