# ruff: noqa: E501 -- one verb is one row, however long
"""Verbs in three languages.

Columns:
 1. English base form, the concept; a particle that moves around a pronoun object has a plus sign;
    irregular past and participle in parentheses;
 2. German infinitive (separable prefix before a slash), third person present, preterite,
    participle (after "ist" where that is the auxiliary);
 3. what the German verb governs: a case, or a preposition with its case;
 4. Korean stem, with the mark of an irregular class after a slash; "adj" makes it an adjective;
 5. the particle of the Korean object;
 6. to 8. kinds, or single nouns, of the subject, the object and the place;
 9. flags: "state" (present and past alone, no modal), "point" (no progressive), "mishap" (nobody
    means to), "goal" (the place is where it leads), "stay" (the place belongs to the verb and takes
    에), "give" (has a recipient), "ask" (can be requested), and the groups of manners it goes with.
"""

VERBS = """
work                      | arbeiten arbeitet arbeitete gearbeitet          | -        | 일하      | -      | adult         | -                  | job garden kitchen  | slow quiet alone well
sleep (slept slept)       | schlafen schläft schlief geschlafen             | -        | 자        | -      | person animal | -                  | house garden        | quiet alone well
laugh                     | lachen lacht lachte gelacht                     | -        | 웃        | -      | person        | -                  | -                   | -
cry                       | weinen weint weinte geweint                     | -        | 울        | -      | person        | -                  | -                   | mishap
dance                     | tanzen tanzt tanzte getanzt                     | -        | 춤을+추   | -      | person        | -                  | outside kitchen     | slow alone well
sing (sang sung)          | singen singt sang gesungen                      | -        | 노래하    | -      | person        | -                  | outside kitchen school | quiet alone well
swim (swam swum)          | schwimmen schwimmt schwamm ist+geschwommen      | -        | 수영하    | -      | person        | -                  | -                   | slow alone well
cook                      | kochen kocht kochte gekocht                     | -        | 요리하    | -      | adult         | -                  | kitchen garden restaurant | slow alone well
get up (got got)          | auf/stehen steht stand ist+aufgestanden         | -        | 일어나    | -      | person        | -                  | -                   | point ask
arrive                    | an/kommen kommt kam ist+angekommen              | -        | 도착하    | -      | person carrier | -                 | -                   | point
come back (came come)     | zurück/kommen kommt kam ist+zurückgekommen      | -        | 돌아오    | -      | person        | -                  | -                   | point ask
wake up (woke woken)      | auf/wachen wacht wachte ist+aufgewacht          | -        | 잠에서+깨 | -      | person animal | -                  | -                   | point
rest                      | sich+aus/ruhen ruht ruhte ausgeruht             | -        | 쉬        | -      | person        | -                  | outside house       | -
play                      | spielen spielt spielte gespielt                 | -        | 놀        | -      | young animal  | -                  | outside house       | -
live                      | wohnen wohnt wohnte gewohnt                     | -        | 살        | -      | person        | -                  | city house          | state stay
read (read read)          | lesen liest las gelesen                         | acc      | 읽        | object | person        | text               | home library park school | ask slow quiet alone
write (wrote written)     | schreiben schreibt schrieb geschrieben          | acc      | 쓰        | object | person        | written            | garden library office school | ask slow care
eat (ate eaten)           | essen isst aß gegessen                          | acc      | 먹        | object | person        | food               | kitchen park dining garden | slow alone
drink (drank drunk)       | trinken trinkt trank getrunken                  | acc      | 마시      | object | person        | drink              | kitchen office dining garden | slow
buy (bought bought)       | kaufen kauft kaufte gekauft                     | acc      | 사        | object | person        | goods              | market city station | -
sell (sold sold)          | verkaufen verkauft verkaufte verkauft           | acc      | 팔        | object | adult         | goods vehicle house | market station      | -
see (saw seen)            | sehen sieht sah gesehen                         | acc      | 보        | object | person animal | person animal      | outside market station city | point
look for                  | suchen sucht suchte gesucht                     | acc      | 찾        | object | person        | person animal lost bag | outside house school station | ask
find (found found)        | finden findet fand gefunden                     | acc      | 발견하    | object | person        | animal lost bag letter | outside house station | point
lose (lost lost)          | verlieren verliert verlor verloren              | acc      | 잃어버리  | object | person        | lost bag letter    | park forest station market | point mishap
love                      | lieben liebt liebte geliebt                     | acc      | 사랑하    | object | person        | person animal      | -                   | state
know (knew known)         | kennen kennt kannte gekannt                     | acc      | 알        | object | person        | person             | -                   | state
visit                     | besuchen besucht besuchte besucht               | acc      | 방문하    | object | person        | person museum city | -                   | ask
meet (met met)            | treffen trifft traf getroffen                   | acc      | 만나      | object | person        | person             | park market station restaurant museum city | point
open                      | auf/machen macht machte aufgemacht              | acc      | 열        | object | person        | opening            | -                   | ask slow care quiet
close                     | zu/machen macht machte zugemacht                | acc      | 닫        | object | person        | opening            | -                   | ask slow care quiet
turn +on                  | ein/schalten schaltet schaltete eingeschaltet   | acc      | 켜        | object | person        | device             | -                   | ask
turn +off                 | aus/schalten schaltet schaltete ausgeschaltet   | acc      | 끄        | object | person        | device             | -                   | ask
pick +up                  | ab/holen holt holte abgeholt                    | acc      | 데려오    | object | adult         | person             | -                   | ask
call                      | an/rufen ruft rief angerufen                    | acc      | 전화하    | to     | person        | person             | -                   | ask
invite                    | ein/laden lädt lud eingeladen                   | acc      | 초대하    | object | person        | person             | -                   | ask
look at                   | an/sehen sieht sah angesehen                    | acc      | 바라보    | object | person animal | person animal picture | -                | -
tidy +up                  | auf/räumen räumt räumte aufgeräumt              | acc      | 정리하    | object | person        | kitchen house office | -                 | ask
put +on (put put)         | an/ziehen zieht zog angezogen                   | acc      | 입        | object | person        | clothing           | -                   | ask slow
take +off (took taken)    | aus/ziehen zieht zog ausgezogen                 | acc      | 벗        | object | person        | clothing           | -                   | ask slow
wash                      | waschen wäscht wusch gewaschen                  | acc      | 씻        | object | person        | dish fruit         | kitchen             | ask slow care
carry                     | tragen trägt trug getragen                      | acc      | 나르/르   | object | person        | load               | -                   | ask slow care alone
repair                    | reparieren repariert reparierte repariert       | acc      | 고치      | object | adult         | vehicle device     | garden school       | ask care alone slow
paint                     | malen malt malte gemalt                         | acc      | 그리      | object | person        | painted animal     | outside school      | ask care alone well
hear (heard heard)        | hören hört hörte gehört                         | acc      | 듣/ㄷ     | object | person        | heard              | -                   | point
ask                       | fragen fragt fragte gefragt                     | acc      | 물어보    | to     | person        | person             | -                   | ask
feed (fed fed)            | füttern füttert fütterte gefüttert              | acc      | 먹이를+주 | to     | person        | animal             | park garden         | ask
chase                     | jagen jagt jagte gejagt                         | acc      | 쫓아가    | object | dog cat       | cat mouse bird rabbit goose | outside    | -
catch (caught caught)     | fangen fängt fing gefangen                      | acc      | 잡        | object | person dog cat | ball mouse bird   | garden park         | -
need                      | brauchen braucht brauchte gebraucht             | acc      | 필요하+adj | subject | person      | goods key          | -                   | state
have (had had)            | haben hat hatte gehabt                          | acc      | 있        | subject | person       | animal vehicle lost book bag computer son daughter brother sister | - | state
like                      | gefallen gefällt gefiel gefallen                | dat      | 좋아하    | object | person        | pleasing clothing  | -                   | state
help                      | helfen hilft half geholfen                      | dat      | 돕/ㅂ     | object | person        | person             | garden kitchen office | ask
thank                     | danken dankt dankte gedankt                     | dat      | 감사하    | to     | person        | person             | -                   | -
answer                    | antworten antwortet antwortete geantwortet      | dat      | 대답하    | to     | person        | person             | -                   | ask slow quiet
follow                    | folgen folgt folgte ist+gefolgt                 | dat      | 따라가    | object | person animal | person animal      | -                   | slow quiet
listen to                 | zu/hören hört hörte zugehört                    | dat      | 말을+듣/ㄷ | of    | person        | person             | -                   | ask
trust                     | vertrauen vertraut vertraute vertraut           | dat      | 믿        | object | person        | person             | -                   | state
wait for                  | warten wartet wartete gewartet                  | auf+acc  | 기다리    | object | person        | person carrier     | station park beach house | ask
speak with (spoke spoken) | sprechen spricht sprach gesprochen              | mit+dat  | 이야기하  | with   | person        | person             | park office restaurant market garden | ask
play with                 | spielen spielt spielte gespielt                 | mit+dat  | 놀        | with   | young         | person animal      | outside house       | -
look forward to           | sich+freuen freut freute gefreut                | auf+acc  | 기대하    | object | person        | event              | -                   | state
remember                  | sich+erinnern erinnert erinnerte erinnert       | an+acc   | 기억하    | object | person        | person event heard film | -              | state
give (gave given)         | geben gibt gab gegeben                          | acc      | 주        | object | person        | gift               | -                   | give ask
show (showed shown)       | zeigen zeigt zeigte gezeigt                     | acc      | 보여+주   | object | person        | gift coat dress    | -                   | give ask
send (sent sent)          | schicken schickt schickte geschickt             | acc      | 보내      | object | person        | letter book picture gift flower | -      | give ask
bring (brought brought)   | bringen bringt brachte gebracht                 | acc      | 가져다주  | object | person        | gift drink fruit   | -                   | give ask
go (went gone)            | gehen geht ging ist+gegangen                    | -        | 가        | -      | person        | -                  | place               | goal ask
come (came come)          | kommen kommt kam ist+gekommen                   | -        | 오        | -      | person        | -                  | place               | goal ask
run (ran run)             | rennen rennt rannte ist+gerannt                 | -        | 뛰어가    | -      | young animal  | -                  | outside house school station | goal
put (put put)             | legen legt legte gelegt                         | acc      | 놓        | object | person        | flat               | surface             | goal ask
place                     | stellen stellt stellte gestellt                 | acc      | 놓        | object | person        | upright            | surface             | goal ask
lie (lay lain)            | liegen liegt lag gelegen                        | -        | 있        | -      | flat          | -                  | surface             | state stay
stand (stood stood)       | stehen steht stand gestanden                    | -        | 있        | -      | upright       | -                  | surface             | state stay
sit (sat sat)             | sitzen sitzt saß gesessen                       | -        | 앉아+있   | -      | person dog cat | -                 | surface             | state stay
rain                      | regnen regnet regnete geregnet                  | -        | 비가+오   | -      | -             | -                  | -                   | -
snow                      | schneien schneit schneite geschneit             | -        | 눈이+오   | -      | -             | -                  | -                   | -
"""

# Verbs that take an infinitive clause: English and German as above; the last column is what
# follows the Korean stem of the infinitive (a leading 으 ending is marked with "으"), then the stem.
INFINITIVES = """
want                      | wollen will wollte gewollt                      | 고 | 싶
try                       | versuchen versucht versuchte versucht           | 으려고 | 노력하
begin (began begun)       | beginnen beginnt begann begonnen                | 기 | 시작하
hope                      | hoffen hofft hoffte gehofft                     | 기를 | 바라
promise                   | versprechen verspricht versprach versprochen    | 기로 | 약속하
forget (forgot forgotten) | vergessen vergisst vergaß vergessen             | 는 것을 | 잊어버리
"""

# Verbs of saying and knowing: name, English verb and link, German verb and link, what follows the
# Korean embedded verb ("다" asks for its plain form), and the Korean stem.
REPORTS = """
know     | know  | that    | wissen weiß wusste gewusst      | dass | 다는 것을 | 알
think    | think | that    | glauben glaubt glaubte geglaubt | dass | 다고      | 생각하
say      | say   | that    | sagen sagt sagte gesagt         | dass | 다고      | 말하
hope     | hope  | that    | hoffen hofft hoffte gehofft     | dass | 기를      | 바라
not know | know  | whether | wissen weiß wusste gewusst      | ob   | 는지      | 모르/르
ask      | ask   | whether | fragen fragt fragte gefragt     | ob   | 는지      | 물어보
"""
