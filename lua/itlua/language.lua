--- The words of busted's own output in the languages of `--lang`, and `output.*` keys for `say`.
-- The texts are busted's (MIT, Olivine Labs and the lunarmodules contributors), so that a run in another language reads
-- as it did there; what a language lacks is said in English.

local language = {}

-- word = { label, with none, with one, with several }
local languages = {
  ar = {
    success = { "نَجاح", "نَجاحات", "نَجاح", "نَجاحات" },
    failure = { "فَشَل", "إخْفاقات", "فَشَل", "إخْفاقات" },
    pending = { "عالِق", "عالِق", "عالِق", "عالِق" },
    seconds = "ثَوانٍ",
  },
  de = {
    success = { "Erfolgreich", "erfolgreich", "erfolgreich", "erfolgreich" },
    failure = { "Fehlgeschlagen", "fehlgeschlagen", "fehlgeschlagen", "fehlgeschlagen" },
    pending = { "Noch nicht erledigt", "übersprungen", "übersprungen", "übersprungen" },
    seconds = "Sekunden",
  },
  en = {
    success = { "Success", "successes", "success", "successes" },
    failure = { "Failure", "failures", "failure", "failures" },
    error = { "Error", "errors", "error", "errors" },
    pending = { "Pending", "pending", "pending", "pending" },
    seconds = "seconds",
    no_test_files_match = "No test files found matching Lua pattern: %s",
    file_not_found = "Cannot find file or directory: %s",
  },
  es = {
    success = { "Éxito", "éxitos", "éxito", "éxitos" },
    failure = { "Fallo", "fallos", "fallo", "fallos" },
    error = { "Error", "errores", "error", "errores" },
    pending = { "Pendiente", "pendientes", "pendiente", "pendientes" },
    seconds = "segundos",
    no_test_files_match = "Ningún fichero de prueba fue encontrado para el patrón de Lua: %s",
  },
  fr = {
    success = { "Reussite", "reussite", "reussite", "reussites" },
    failure = { "Echec", "echec", "echec", "echecs" },
    pending = { "En attente", "en attente", "en attente", "en attente" },
    seconds = "secondes",
    no_test_files_match = "Aucun test n'est pourrait trouvé qui corresponde au motif de Lua: %s",
  },
  id = {
    success = { "Berhasil", "berhasil", "berhasil", "berhasil" },
    failure = { "Gagal", "kegagalan", "gagal", "kegagalan" },
    error = { "Salah", "kesalahan", "salah", "kesalahan" },
    pending = { "Tertunda", "tertunda", "tertunda", "tertunda" },
    seconds = "detik",
    no_test_files_match = "Tidak ada file uji coba yang cocok dengan pola (lua): %s",
    file_not_found = "Tidak dapat menemukan file ataupun direktori: %s",
  },
  is = {
    success = { "Tókst", "tókst", "tókst", "tókst" },
    failure = { "Bilun", "bilanir", "bilun", "bilanir" },
    error = { "Villa", "villur", "villa", "villur" },
    pending = { "Í bið", "í bið", "í bið", "í bið" },
    seconds = "sekúndur",
    no_test_files_match = "Engar prufuskrár fundust sem passa við Lúa mynstur: %s",
    file_not_found = "Get ekki fundið skrá eða möppu: %s",
  },
  it = {
    success = { "Successo", "successi", "successo", "successi" },
    failure = { "Fallimento", "fallimenti", "fallimento", "fallimenti" },
    error = { "Errore", "errori", "errore", "errori" },
    pending = { "In attesa", "in attesa", "in attesa", "in attesa" },
    seconds = "secondi",
    no_test_files_match = "Nessun file di test trovat che corrisponde al pattern Lua: %s",
    file_not_found = "Nessun file o cartella trovato: %s",
  },
  ja = {
    success = { "成功", "成功", "成功", "成功" },
    failure = { "失敗", "失敗", "失敗", "失敗" },
    pending = { "保留", "保留", "保留", "保留" },
    seconds = "秒",
  },
  ko = {
    success = { "성공", "성공", "성공", "성공" },
    failure = { "실패", "실패", "실패", "실패" },
    error = { "에러", "에러", "에러", "에러" },
    pending = { "보류", "보류", "보류", "보류" },
    seconds = "초",
    no_test_files_match = "Lua 패턴과 일치하는 테스트 파일을 찾을 수 없습니다: %s",
    file_not_found = "파일 또는 디렉토리를 찾을 수 없습니다: %s",
  },
  nl = {
    success = { "Succes", "successen", "succes", "successen" },
    failure = { "Mislukt", "mislukt", "mislukt", "mislukkingen" },
    pending = { "Hangend", "hangend", "hangt", "hangenden" },
    seconds = "seconden",
  },
  ["pt-BR"] = {
    success = { "Sucesso", "sucessos", "sucesso", "sucessos" },
    failure = { "Falha", "falhas", "falha", "falhas" },
    error = { "Erro", "erros", "erro", "erros" },
    pending = { "Pendente", "pendentes", "pendente", "pendentes" },
    seconds = "segundos",
    no_test_files_match = "Nenhum arquivo de teste encontrado com o padrão do Lua: %s",
  },
  ro = {
    success = { "Succes", "succese", "succes", "succese" },
    failure = { "Eșec", "eșecuri", "eșec", "eșecuri" },
    error = { "Eroare", "erori", "eroare", "erori" },
    pending = { "În așteptare", "în așteptare", "în așteptare", "în așteptare" },
    seconds = "secunde",
    no_test_files_match = "Niciun fișier de testare găsit care să se potrivească cu tiparul Lua: %s",
    file_not_found = "Nu pot găsi fișierul sau folderul: %s",
  },
  ru = {
    success = { "Прошeл", "прошедших", "прошел", "прошли" },
    failure = { "Поломалcя", "поломанных", "поломался", "поломалиcь" },
    pending = { "Ожидает", "ожидающих", "ожидает", "ожидают" },
    seconds = "секунд",
  },
  th = {
    success = { "สำเร็จ", "สำเร็จ", "สำเร็จ", "สำเร็จ" },
    failure = { "ล้มเหลว", "ล้มเหลว", "ล้มเหลว", "ล้มเหลว" },
    pending = { "อยู่ระหว่างดำเนินการ", "อยู่ระหว่างดำเนินการ", "อยู่ระหว่างดำเนินการ", "อยู่ระหว่างดำเนินการ" },
    seconds = "วินาที",
  },
  ua = {
    success = { "Пройшов", "пройдених", "пройшов", "пройшли" },
    failure = { "Зламався", "зламаних", "зламався", "зламались" },
    pending = { "Очікує", "очікуючих", "очікує", "очікують" },
    seconds = "секунд",
  },
  zh = {
    success = { "成功", "成功", "成功", "成功" },
    failure = { "失败", "失败", "失败", "失败" },
    pending = { "开发中", "开发中", "开发中", "开发中" },
    seconds = "秒",
  },
}

local forms = { "", "_zero", "_single", "_plural" }
local words = { "success", "failure", "error", "pending" }

--- Whether there is output in this language.
---@param code string
---@return boolean
function language.known(code) return languages[code] ~= nil end

--- The codes of all languages, sorted.
---@return string[]
function language.codes()
  local codes = {}
  for code in pairs(languages) do codes[#codes + 1] = code end
  table.sort(codes)
  return codes
end

--- All texts of a language by busted's keys without their "output." in front: "failure_plural", "seconds".
---@param code? string    unknown or nil: English
---@return table<string, string>
function language.texts(code)
  local texts = {}
  for _, from in ipairs { languages.en, languages[code or "en"] or languages.en } do
    for _, word in ipairs(words) do
      for i, form in ipairs(forms) do
        if from[word] then texts[word .. form] = from[word][i] end
      end
    end
    for _, key in ipairs { "seconds", "no_test_files_match", "file_not_found" } do
      texts[key] = from[key] or texts[key]
    end
  end
  return texts
end

--- Makes the texts known to `say`, under "output.…" in the language's namespace, and selects it.
---@param say table       the say module
---@param code? string
function language.install(say, code)
  say:set_namespace("en")
  for key, text in pairs(language.texts("en")) do say:set("output." .. key, text) end
  if code and code ~= "en" and languages[code] then
    say:set_namespace(code)
    for key, text in pairs(language.texts(code)) do say:set("output." .. key, text) end
  end
end

return language
