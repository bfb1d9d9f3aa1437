// The files of the page, put into the program by the compiler: nothing has to be installed beside it.
// A test compares this list with the folder.
#pragma clang diagnostic ignored "-Wc23-extensions"

#include "CPage.h"

static const unsigned char answer_js[] = {
#embed "page/answer.js"
};
static const unsigned char api_js[] = {
#embed "page/api.js"
};
static const unsigned char app_css[] = {
#embed "page/app.css"
};
static const unsigned char app_js[] = {
#embed "page/app.js"
};
static const unsigned char attention_js[] = {
#embed "page/attention.js"
};
static const unsigned char board_js[] = {
#embed "page/board.js"
};
static const unsigned char camera_js[] = {
#embed "page/camera.js"
};
static const unsigned char classifiers_js[] = {
#embed "page/classifiers.js"
};
static const unsigned char clipcard_js[] = {
#embed "page/clipcard.js"
};
static const unsigned char cliplist_js[] = {
#embed "page/cliplist.js"
};
static const unsigned char confusion_js[] = {
#embed "page/confusion.js"
};
static const unsigned char datasets_js[] = {
#embed "page/datasets.js"
};
static const unsigned char dom_js[] = {
#embed "page/dom.js"
};
static const unsigned char drops_js[] = {
#embed "page/drops.js"
};
static const unsigned char files_js[] = {
#embed "page/files.js"
};
static const unsigned char icon_svg[] = {
#embed "page/icon.svg"
};
static const unsigned char index_html[] = {
#embed "page/index.html"
};
static const unsigned char learning_js[] = {
#embed "page/learning.js"
};
static const unsigned char liveanswers_js[] = {
#embed "page/liveanswers.js"
};
static const unsigned char losscurve_js[] = {
#embed "page/losscurve.js"
};
static const unsigned char notices_js[] = {
#embed "page/notices.js"
};
static const unsigned char openapi_json[] = {
#embed "page/openapi.json"
};
static const unsigned char pieces_js[] = {
#embed "page/pieces.js"
};
static const unsigned char player_js[] = {
#embed "page/player.js"
};
static const unsigned char results_js[] = {
#embed "page/results.js"
};
static const unsigned char runwatch_js[] = {
#embed "page/runwatch.js"
};
static const unsigned char selection_js[] = {
#embed "page/selection.js"
};
static const unsigned char selectionbar_js[] = {
#embed "page/selectionbar.js"
};
static const unsigned char source_js[] = {
#embed "page/source.js"
};
static const unsigned char steps_js[] = {
#embed "page/steps.js"
};
static const unsigned char store_js[] = {
#embed "page/store.js"
};
static const unsigned char textfiles_js[] = {
#embed "page/textfiles.js"
};
static const unsigned char threshold_js[] = {
#embed "page/threshold.js"
};
static const unsigned char timeline_js[] = {
#embed "page/timeline.js"
};
static const unsigned char try_js[] = {
#embed "page/try.js"
};
static const unsigned char uploads_js[] = {
#embed "page/uploads.js"
};
static const unsigned char viewer_js[] = {
#embed "page/viewer.js"
};
static const unsigned char words_js[] = {
#embed "page/words.js"
};

#define FILE_OF(name, array) {name, array, sizeof(array)}

static const vifi_page_file files[] = {
    FILE_OF("answer.js", answer_js),
    FILE_OF("api.js", api_js),
    FILE_OF("app.css", app_css),
    FILE_OF("app.js", app_js),
    FILE_OF("attention.js", attention_js),
    FILE_OF("board.js", board_js),
    FILE_OF("camera.js", camera_js),
    FILE_OF("classifiers.js", classifiers_js),
    FILE_OF("clipcard.js", clipcard_js),
    FILE_OF("cliplist.js", cliplist_js),
    FILE_OF("confusion.js", confusion_js),
    FILE_OF("datasets.js", datasets_js),
    FILE_OF("dom.js", dom_js),
    FILE_OF("drops.js", drops_js),
    FILE_OF("files.js", files_js),
    FILE_OF("icon.svg", icon_svg),
    FILE_OF("index.html", index_html),
    FILE_OF("learning.js", learning_js),
    FILE_OF("liveanswers.js", liveanswers_js),
    FILE_OF("losscurve.js", losscurve_js),
    FILE_OF("notices.js", notices_js),
    FILE_OF("openapi.json", openapi_json),
    FILE_OF("pieces.js", pieces_js),
    FILE_OF("player.js", player_js),
    FILE_OF("results.js", results_js),
    FILE_OF("runwatch.js", runwatch_js),
    FILE_OF("selection.js", selection_js),
    FILE_OF("selectionbar.js", selectionbar_js),
    FILE_OF("source.js", source_js),
    FILE_OF("steps.js", steps_js),
    FILE_OF("store.js", store_js),
    FILE_OF("textfiles.js", textfiles_js),
    FILE_OF("threshold.js", threshold_js),
    FILE_OF("timeline.js", timeline_js),
    FILE_OF("try.js", try_js),
    FILE_OF("uploads.js", uploads_js),
    FILE_OF("viewer.js", viewer_js),
    FILE_OF("words.js", words_js),
};

const vifi_page_file *vifi_page_files(void) { return files; }

size_t vifi_page_file_count(void) { return sizeof(files) / sizeof(files[0]); }
