"""The bot's own sentences, in the asker's language."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.languages import language_of


@dataclass(frozen=True, slots=True)
class Texts:
    """The fixed texts of one language."""

    not_found: str
    quoted: str  # {why}
    no_key: str
    budget: str
    down: str
    unavailable: str  # {reference}
    cut: str
    conflict: str  # {marks}
    greeting: str
    thanks: str
    goodbye: str
    contact: str  # {contact}: whom to turn to who wants a person
    no_contact: str
    purpose: str  # what the bot is for
    vague: str
    which: str
    long: str


TEXTS = {
    "en": Texts(
        "I could not find an answer to this in our documentation. Please rephrase your question, "
        "or ask a person of our team.",
        "Sorry, I cannot write an answer of my own right now: {why}. "
        "These are the best passages of our documentation, quoted word for word:",
        "no language model is connected",
        "today's limit for written answers is used up",
        "the language model is not available",
        "Sorry, I cannot look this up right now. Please try again in a few minutes, or ask a "
        "person of our team and mention the reference {reference}.",
        "The answer was cut off here and is not complete. Please ask again for the rest.",
        "Our documents disagree on this: see also {marks}. Please ask a person of our "
        "team which holds.",
        "Hello! What would you like to know?",
        "You are welcome! Is there anything else you would like to know?",
        "Goodbye! Just ask again whenever you have a question.",
        "I am a bot and cannot bring a person into this conversation. Our team can be reached "
        "here: {contact}",
        "I am a bot and cannot bring a person into this conversation. Please turn to our team "
        "the way you usually reach it, such as by e-mail or phone.",
        "I am here to help with questions about our products. What would you like to know?",
        "What exactly would you like to know? Please name what it is about, and what you did or "
        "saw.",
        "Which of these is it about?",
        "Your message is longer than I can read; I read its beginning and its end.",
    ),
    "de": Texts(
        "Dazu habe ich in unserer Dokumentation keine Antwort gefunden. Bitte formulieren Sie die "
        "Frage anders oder wenden Sie sich an jemanden aus unserem Team.",
        "Entschuldigung, ich kann gerade keine eigene Antwort schreiben: {why}. "
        "Dies sind die besten Stellen unserer Dokumentation, wörtlich zitiert:",
        "es ist kein Sprachmodell angeschlossen",
        "das heutige Kontingent für geschriebene Antworten ist aufgebraucht",
        "das Sprachmodell ist nicht verfügbar",
        "Entschuldigung, ich kann das gerade nicht nachschlagen. Bitte versuchen Sie es in einigen "
        "Minuten erneut oder nennen Sie unserem Team die Referenz {reference}.",
        "Die Antwort wurde hier abgeschnitten und ist unvollständig. Bitte fragen Sie noch einmal.",
        "Unsere Dokumente widersprechen sich hier: siehe auch {marks}. Bitte fragen Sie "
        "jemanden aus unserem Team, was gilt.",
        "Hallo! Was möchten Sie wissen?",
        "Gern geschehen! Möchten Sie noch etwas wissen?",
        "Auf Wiedersehen! Fragen Sie gern wieder, wenn Sie etwas wissen möchten.",
        "Ich bin ein Bot und kann niemanden in dieses Gespräch holen. Unser Team erreichen Sie "
        "hier: {contact}",
        "Ich bin ein Bot und kann niemanden in dieses Gespräch holen. Bitte wenden Sie sich so "
        "an unser Team, wie Sie es sonst erreichen, etwa per E-Mail oder Telefon.",
        "Ich helfe gern bei Fragen zu unseren Produkten. Was möchten Sie wissen?",
        "Was genau möchten Sie wissen? Bitte nennen Sie, worum es geht und was Sie getan oder "
        "gesehen haben.",
        "Um welches dieser Themen geht es?",
        "Ihre Nachricht ist länger, als ich lesen kann; gelesen habe ich ihren Anfang und ihr "
        "Ende.",
    ),
    "fr": Texts(
        "Je n'ai pas trouvé de réponse à cette question dans notre documentation. Merci de la "
        "reformuler ou de vous adresser à une personne de notre équipe.",
        "Désolé, je ne peux pas rédiger de réponse pour le moment : {why}. "
        "Voici les meilleurs passages de notre documentation, cités mot pour mot :",
        "aucun modèle de langage n'est connecté",
        "la limite du jour pour les réponses rédigées est atteinte",
        "le modèle de langage n'est pas disponible",
        "Désolé, je ne peux pas faire cette recherche pour le moment. Réessayez dans quelques "
        "minutes, ou indiquez la référence {reference} à notre équipe.",
        "La réponse a été coupée ici et n'est pas complète. Merci de reposer la question.",
        "Nos documents se contredisent sur ce point : voir aussi {marks}. Merci de "
        "demander à une personne de notre équipe ce qui est valable.",
        "Bonjour ! Que souhaitez-vous savoir ?",
        "Je vous en prie ! Souhaitez-vous savoir autre chose ?",
        "Au revoir ! N'hésitez pas à revenir si vous avez une question.",
        "Je suis un robot et ne peux faire venir personne dans cette conversation. Vous pouvez "
        "joindre notre équipe ici : {contact}",
        "Je suis un robot et ne peux faire venir personne dans cette conversation. Merci de vous "
        "adresser à notre équipe par votre moyen habituel, par exemple par e-mail ou par "
        "téléphone.",
        "Je suis là pour répondre aux questions sur nos produits. Que souhaitez-vous savoir ?",
        "Que souhaitez-vous savoir exactement ? Merci d'indiquer de quoi il s'agit et ce que "
        "vous avez fait ou vu.",
        "Duquel de ces sujets s'agit-il ?",
        "Votre message est plus long que ce que je peux lire ; j'en ai lu le début et la fin.",
    ),
    "es": Texts(
        "No he encontrado una respuesta a esto en nuestra documentación. Reformule la pregunta o "
        "consulte a una persona de nuestro equipo.",
        "Lo siento, ahora mismo no puedo redactar una respuesta: {why}. "
        "Estos son los mejores pasajes de nuestra documentación, citados literalmente:",
        "no hay ningún modelo de lenguaje conectado",
        "se ha agotado el límite de hoy para respuestas redactadas",
        "el modelo de lenguaje no está disponible",
        "Lo siento, ahora mismo no puedo consultarlo. Inténtelo de nuevo en unos minutos o indique "
        "la referencia {reference} a nuestro equipo.",
        "La respuesta se cortó aquí y no está completa. Vuelva a preguntar, por favor.",
        "Nuestros documentos se contradicen en esto: vea también {marks}. Pregunte a una "
        "persona de nuestro equipo qué es lo válido.",
        "¡Hola! ¿Qué le gustaría saber?",
        "¡De nada! ¿Le gustaría saber algo más?",
        "¡Hasta luego! Vuelva a preguntar cuando lo necesite.",
        "Soy un bot y no puedo traer a una persona a esta conversación. Puede contactar con "
        "nuestro equipo aquí: {contact}",
        "Soy un bot y no puedo traer a una persona a esta conversación. Diríjase a nuestro "
        "equipo por la vía habitual, por ejemplo por correo electrónico o por teléfono.",
        "Estoy aquí para ayudar con preguntas sobre nuestros productos. ¿Qué le gustaría saber?",
        "¿Qué le gustaría saber exactamente? Indique de qué se trata y qué hizo o vio.",
        "¿De cuál de estos temas se trata?",
        "Su mensaje es más largo de lo que puedo leer; he leído el principio y el final.",
    ),
    "it": Texts(
        "Non ho trovato una risposta nella nostra documentazione. Riformuli la domanda o si "
        "rivolga a una persona del nostro team.",
        "Mi dispiace, al momento non posso scrivere una risposta: {why}. "
        "Questi sono i passaggi migliori della nostra documentazione, citati alla lettera:",
        "nessun modello linguistico è collegato",
        "il limite di oggi per le risposte scritte è esaurito",
        "il modello linguistico non è disponibile",
        "Mi dispiace, al momento non posso cercarlo. Riprovi tra qualche minuto o indichi al "
        "nostro team il riferimento {reference}.",
        "La risposta è stata interrotta qui e non è completa. Ripeta la domanda, per favore.",
        "I nostri documenti si contraddicono su questo punto: veda anche {marks}. Chieda "
        "a una persona del nostro team che cosa vale.",
        "Ciao! Che cosa desidera sapere?",
        "Prego! Desidera sapere altro?",
        "Arrivederci! Torni pure quando ha una domanda.",
        "Sono un bot e non posso far intervenire una persona in questa conversazione. Può "
        "contattare il nostro team qui: {contact}",
        "Sono un bot e non posso far intervenire una persona in questa conversazione. Si rivolga "
        "al nostro team nel modo consueto, per esempio per e-mail o per telefono.",
        "Sono qui per aiutare con domande sui nostri prodotti. Che cosa desidera sapere?",
        "Che cosa desidera sapere esattamente? Indichi di che cosa si tratta e che cosa ha fatto "
        "o visto.",
        "Di quale di questi argomenti si tratta?",
        "Il suo messaggio è più lungo di quanto io possa leggere; ne ho letto l'inizio e la fine.",
    ),
    "pt": Texts(
        "Não encontrei uma resposta para isto na nossa documentação. Reformule a pergunta ou fale "
        "com uma pessoa da nossa equipa.",
        "Desculpe, neste momento não posso escrever uma resposta: {why}. "
        "Estes são os melhores trechos da nossa documentação, citados palavra por palavra:",
        "não há nenhum modelo de linguagem ligado",
        "o limite de hoje para respostas escritas está esgotado",
        "o modelo de linguagem não está disponível",
        "Desculpe, neste momento não posso consultar isto. Tente de novo dentro de alguns minutos "
        "ou indique a referência {reference} à nossa equipa.",
        "A resposta foi cortada aqui e não está completa. Pergunte de novo, por favor.",
        "Os nossos documentos contradizem-se neste ponto: veja também {marks}. Pergunte "
        "a uma pessoa da nossa equipa o que é válido.",
        "Olá! O que gostaria de saber?",
        "De nada! Gostaria de saber mais alguma coisa?",
        "Até logo! Volte a perguntar sempre que precisar.",
        "Sou um bot e não posso trazer uma pessoa para esta conversa. Pode contactar a nossa "
        "equipa aqui: {contact}",
        "Sou um bot e não posso trazer uma pessoa para esta conversa. Dirija-se à nossa equipa "
        "pela via habitual, por exemplo por e-mail ou telefone.",
        "Estou aqui para ajudar com perguntas sobre os nossos produtos. O que gostaria de saber?",
        "O que gostaria de saber exatamente? Indique de que se trata e o que fez ou viu.",
        "De qual destes temas se trata?",
        "A sua mensagem é mais longa do que consigo ler; li o início e o fim.",
    ),
    "nl": Texts(
        "Ik heb hierop geen antwoord gevonden in onze documentatie. Stel de vraag anders of vraag "
        "het aan iemand van ons team.",
        "Sorry, ik kan nu geen eigen antwoord schrijven: {why}. "
        "Dit zijn de beste passages uit onze documentatie, woordelijk geciteerd:",
        "er is geen taalmodel aangesloten",
        "de limiet van vandaag voor geschreven antwoorden is bereikt",
        "het taalmodel is niet beschikbaar",
        "Sorry, ik kan dit nu niet opzoeken. Probeer het over enkele minuten opnieuw of geef ons "
        "team de referentie {reference}.",
        "Het antwoord is hier afgebroken en niet volledig. Stel de vraag alstublieft opnieuw.",
        "Onze documenten spreken elkaar hier tegen: zie ook {marks}. Vraag iemand van "
        "ons team wat geldt.",
        "Hallo! Wat wilt u weten?",
        "Graag gedaan! Wilt u nog iets weten?",
        "Tot ziens! Stel gerust weer een vraag wanneer u iets wilt weten.",
        "Ik ben een bot en kan niemand bij dit gesprek halen. Ons team is hier te bereiken: "
        "{contact}",
        "Ik ben een bot en kan niemand bij dit gesprek halen. Neem contact op met ons team zoals "
        "u dat gewend bent, bijvoorbeeld per e-mail of telefoon.",
        "Ik help graag bij vragen over onze producten. Wat wilt u weten?",
        "Wat wilt u precies weten? Noem waar het over gaat en wat u hebt gedaan of gezien.",
        "Over welk van deze onderwerpen gaat het?",
        "Uw bericht is langer dan ik kan lezen; ik heb het begin en het einde gelezen.",
    ),
    "zh": Texts(
        "在我们的文档中没有找到这个问题的答案。请换一种说法提问，或联系我们的工作人员。",
        "抱歉，我现在无法撰写答案：{why}。以下是文档中最相关的原文摘录：",
        "没有连接语言模型",
        "今天的撰写额度已用完",
        "语言模型暂不可用",
        "抱歉，我现在无法查询。请几分钟后再试，或联系我们的工作人员并提供编号 {reference}。",
        "答案在此处中断，并不完整。请再问一次。",
        "我们的文档在这一点上说法不一，另见 {marks}。请向我们的工作人员确认以哪一个为准。",
        "您好！您想了解什么？",
        "不客气！您还想了解什么？",
        "再见！有问题随时再来问我。",
        "我是机器人，无法请人工加入此对话。您可以在这里联系我们的工作人员：{contact}",
        "我是机器人，无法请人工加入此对话。请通过您平常的方式（例如电子邮件或电话）联系我们的工作人员。",
        "我可以回答与我们产品有关的问题。您想了解什么？",
        "您具体想了解什么？请说明是关于什么的，以及您做了什么或看到了什么。",
        "您指的是以下哪一项？",
        "您的消息超出了我能阅读的长度，我只读了开头和结尾。",
    ),
    "ja": Texts(
        "ドキュメントには、この質問への答えが見つかりませんでした。別の言い方でお尋ねになるか、"
        "担当者にお問い合わせください。",
        "申し訳ありません。現在、回答を作成できません（{why}）。"
        "ドキュメントから最も関連する箇所をそのまま引用します：",
        "言語モデルが接続されていません",
        "本日の回答作成の上限に達しました",
        "言語モデルを利用できません",
        "申し訳ありません。現在お調べできません。数分後にもう一度お試しいただくか、"
        "参照番号 {reference} を添えて担当者にお問い合わせください。",
        "回答はここで途切れており、完全ではありません。もう一度お尋ねください。",
        "この点についてドキュメントの記述が一致していません。{marks} もご覧ください。"
        "どちらが正しいかは担当者にお尋ねください。",
        "こんにちは！何をお知りになりたいですか？",
        "どういたしまして！ほかに知りたいことはありますか？",
        "さようなら。ご質問があればまたいつでもどうぞ。",
        "私はボットのため、この会話に担当者を呼ぶことはできません。担当者へのお問い合わせはこちらです：{contact}",
        "私はボットのため、この会話に担当者を呼ぶことはできません。メールや電話など、普段お使いの方法で担当者にお問い合わせください。",
        "製品に関するご質問にお答えします。何をお知りになりたいですか？",
        "具体的に何をお知りになりたいですか？何についてか、何をして何が表示されたかをお書きください。",
        "次のどれについてですか？",
        "メッセージが長すぎるため、最初と最後だけを読みました。",
    ),
}


def texts_for(question: str) -> Texts:
    """Return the fixed texts in the language of the question; English where it has none."""
    return TEXTS.get(language_of(question, lead=1), TEXTS["en"])
